package main

import (
	"testing"
	"time"
)

// What a run of the kill test must have seen to count as evidence.
const (
	leaderKills        = 5
	requestsAtKill     = 32     // under way at the moment of each kill
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
	for range leaderKills {
		l.waitAcknowledged(acknowledgedSends/leaderKills, acknowledgedDelete/leaderKills)
		l.killLeader(requestsAtKill)
	}
	l.finish()
	sends, deletes := l.h.acknowledged()
	t.Logf("%d sends and %d deletes acknowledged; until writes went on after each kill: %v", sends, deletes, l.recoveries)
	if sends < acknowledgedSends || deletes < acknowledgedDelete {
		t.Errorf("too little happened to prove anything: %d sends and %d deletes, want %d and %d", sends, deletes, acknowledgedSends, acknowledgedDelete)
	}
	for _, broken := range l.h.findings().all() {
		t.Error(broken)
	}
}

// killLeader kills the leader while at least so many requests are under way, waits until writes go on, and starts it again.
func (l *load) killLeader(underWay int64) {
	l.t.Helper()
	leader := l.c.waitLeader()
	l.waitUnderWay(underWay)
	killed := time.Now()
	leader.kill()
	l.waitWriteAfter(killed)
	l.recoveries = append(l.recoveries, time.Since(killed).Round(time.Millisecond))
	leader.start()
	leader.waitReady()
}
