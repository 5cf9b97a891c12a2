package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/fault"
)

// What a run of the kill test must have seen to count as evidence.
const (
	leaderKills        = 5
	acknowledgedSends  = 10_000 // over the whole run
	acknowledgedDelete = 1_000
)

// TestAcknowledgedMessagesSurviveLeaderKills kills the leader again and again while clients send, receive and delete through
// all nodes, and checks what the clients saw against what they were promised.
func TestAcknowledgedMessagesSurviveLeaderKills(t *testing.T) {
	surviveLeaderKills(t, startCluster(t, 3))
}

func surviveLeaderKills(t *testing.T, c *testCluster) {
	l := startLoad(c)
	var outages []time.Duration
	for range leaderKills {
		l.waitAcknowledged(acknowledgedSends/leaderKills, acknowledgedDelete/leaderKills)
		outages = append(outages, l.killLeader())
	}
	l.finish()
	sends, deletes := l.History().Acknowledged()
	t.Logf("%d sends and %d deletes acknowledged; until writes went on after each kill: %v", sends, deletes, outages)
	if sends < acknowledgedSends || deletes < acknowledgedDelete {
		t.Errorf("too little happened to prove anything: %d sends and %d deletes, want %d and %d", sends, deletes, acknowledgedSends, acknowledgedDelete)
	}
}

// killLeader kills the leader while enough requests are under way, waits until writes go on, and starts it again. It returns
// how long nothing was written.
func (l *testLoad) killLeader() time.Duration {
	l.t.Helper()
	kill, err := fault.Named([]string{"kill-leader"})
	must(l.t, err)
	e, err := kill[0].Strike(l.t.Context(), &fault.Scene{Cluster: l.c.Cluster, Load: l.Load, Random: rand.New(rand.NewPCG(1, 1))})
	must(l.t, err)
	if !e.Effective {
		l.t.Errorf("the kill proves nothing: %s", e.What)
	}
	return e.Unavailable.Round(time.Millisecond)
}
