package cluster

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// TestNowIsNeverBehindTheState: what has expired for the state has expired for a node with a slow clock too.
func TestNowIsNeverBehindTheState(t *testing.T) {
	f, err := fsm.Open("state", fsm.Options{FS: vfs.NewMem(), Fatal: func(err error) { t.Fatal(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	state := time.UnixMilli(1_800_000_000_000)
	tick, err := proto.Marshal(&fsmpb.Entry{NowMs: state.UnixMilli()})
	if err != nil {
		t.Fatal(err)
	}
	f.Apply(&raft.Log{Index: 1, Term: 1, Type: raft.LogCommand, Data: tick})
	var wall time.Time
	n := New(Config{Wall: func() time.Time { return wall }})
	for _, test := range []struct {
		member bool
		wall   time.Duration // ahead of the state
		want   time.Duration
	}{
		{false, -time.Hour, -time.Hour},
		{true, -time.Hour, 0},
		{true, 0, 0},
		{true, time.Minute, time.Minute},
	} {
		if test.member {
			n.replica.Store(&replica{fsm: f})
		}
		wall = state.Add(test.wall)
		if got := n.Now().Sub(state); got != test.want {
			t.Errorf("member %v, wall clock %s ahead of the state: now is %s ahead, want %s", test.member, test.wall, got, test.want)
		}
	}
}

// TestOneWrongClockChangesNoPromise: what a node takes for now, by which tokens expire, and the stamps of entries, by which
// leases end, follow the clocks of a majority, also on the node whose clock jumps.
func TestOneWrongClockChangesNoPromise(t *testing.T) {
	t.Parallel()
	var ahead [3]atomic.Int64
	c := newTestCluster(t, "bolt", 3, func(c *Config) {
		i := int(c.NodeName[1] - '0')
		c.Wall = func() time.Time { return time.Now().Round(0).Add(time.Duration(ahead[i].Load())) }
	})
	leader := c.leader()
	for _, wrong := range []int{leader, (leader + 1) % 3} {
		for _, by := range []time.Duration{time.Hour, -time.Hour, 0} {
			ahead[wrong].Store(int64(by))
			for i, n := range c.nodes { // each node has noticed, and has looked again
				if i != wrong {
					sees := func() time.Duration {
						s, _ := n.aliveStatus(c.nodes[wrong].ID())
						if s.StatusResult == nil {
							return -1
						}
						return time.Duration(s.clockMS) * time.Millisecond
					}
					eventually(t, name(i)+" to see the clock", func() bool { return (sees() - by).Abs() < 10*time.Minute })
				}
			}
			for range 2 {
				asked := time.Now()
				eventually(t, "the node to ask again", func() bool {
					s, ok := c.nodes[wrong].aliveStatus(c.nodes[(wrong+1)%3].ID())
					return ok && s.at.After(asked)
				})
			}
			for i, n := range c.nodes {
				if off := time.Until(n.Now()); off.Abs() > 10*time.Minute {
					t.Errorf("the clock of %s is %s ahead: for %s it is %s later than it is", name(wrong), by, name(i), off.Round(time.Second))
				}
				if l := n.replica.Load().leadership.Load(); l != nil {
					if off := time.Until(time.UnixMilli(l.clock.stamp())); off.Abs() > 10*time.Minute {
						t.Errorf("the clock of %s is %s ahead: its leader %s stamps entries with a time that is %s off", name(wrong), by, name(i), off.Round(time.Second))
					}
				}
			}
		}
	}
}
