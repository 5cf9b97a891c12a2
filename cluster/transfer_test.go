package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTheLeadershipGoesWhereItIsSent(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	first := c.leader()
	for step := range 3 { // through each node once
		target := (first + step + 1) % 3
		leader, err := c.nodes[step].TransferLeadership(ctx, name(target))
		if err != nil || leader != name(target) {
			t.Fatalf("to %s: %q, %v", name(target), leader, err)
		}
		if got := c.leader(); got != target {
			t.Errorf("%s leads, want %s", name(got), name(target))
		}
		again, err := c.nodes[step].TransferLeadership(ctx, name(target))
		if err != nil || again != name(target) {
			t.Errorf("to the one that leads: %q, %v", again, err)
		}
	}
	before := c.leader()
	leader, err := c.nodes[0].TransferLeadership(ctx, "")
	if err != nil || leader == name(before) || leader == "" {
		t.Errorf("to anybody: %q, %v", leader, err)
	}
	if reasons := c.nodes[before].Ready(); len(reasons) != 0 {
		t.Errorf("the old leader is not ready: %v", reasons)
	}

	present := c.leader()
	down := (present + 1) % 3
	c.stop(down)
	for target, want := range map[string]string{"nobody": CodeMemberNotFound, name(down): CodeMajorityAtRisk} {
		_, err := c.nodes[present].TransferLeadership(ctx, target)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != want || e.Unknown || !strings.Contains(e.Detail, target) {
			t.Errorf("to %s: %v", target, err)
		}
	}
	c.stop((present + 2) % 3)
	_, err = c.nodes[present].TransferLeadership(ctx, "")
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeMajorityAtRisk && e.Code != CodeNoLeader {
		t.Errorf("with nobody to take over: %v", err)
	}
}

// Sends go on through all nodes while the leadership moves, and each of them succeeds.
func TestNothingIsLostOrUnknownInATransfer(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	var stop atomic.Bool
	var sent atomic.Int64
	var senders sync.WaitGroup
	for i := range 12 {
		senders.Go(func() {
			for k := 0; !stop.Load(); k++ {
				if _, err := c.nodes[i%3].Propose(ctx, sendCommand("q", fmt.Sprint(i, k))); err != nil {
					t.Errorf("a send during a transfer: %v", err)
					return
				}
				sent.Add(1)
			}
		})
	}
	for range 4 {
		seen := sent.Load()
		eventually(t, "sends to go on", func() bool { return sent.Load() > seen+50 })
		if _, err := c.nodes[0].TransferLeadership(ctx, ""); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	senders.Wait()
	leader := c.nodes[c.leader()]
	if n, _ := leader.FSM().ReadyMessages("q"); n != sent.Load() {
		t.Errorf("%d messages are there, %d were acknowledged", n, sent.Load())
	}
}

// Whose time was over when its turn came leaves the leader as it was.
func TestAHandOverThatComesTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	n := c.nodes[leader]
	l := n.replica.Load().leadership.Load()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := n.handOver(ctx, l, c.nodes[1-leader].ID()); err == nil || err.Code != CodeTimeout || err.Unknown {
		t.Errorf("a hand-over without time: %+v", err)
	}
	c.send(leader, "q", "job")
}

// A hand-over that gives up while it waits for what is in flight has not begun, and does not begin later.
func TestAHandOverBehindOthersThatGivesUpIsNotApplied(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	n := c.nodes[leader]
	l := n.replica.Load().leadership.Load()
	release := l.writes.hold()
	sent := make(chan error, 1)
	go func() { sent <- trySend(c, leader) }()
	eventually(t, "a send to wait", func() bool { return l.writes.waiting() > 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := n.handOver(ctx, l, c.nodes[1-leader].ID()); err == nil || err.Unknown {
		t.Errorf("a hand-over behind a send: %+v", err)
	}
	release()
	if err := <-sent; err != nil {
		t.Errorf("the send that was waiting: %v", err)
	}
	c.send(leader, "q", "job")
	if l.ctx.Err() != nil {
		t.Error("the leadership moved all the same")
	}
}

// Raft does not take back what it has begun.
func TestATransferThatRaftHasBegunIsUnknown(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	target := (leader + 1) % 3
	id := c.nodes[target].ID()
	c.stop(target)
	n := c.nodes[leader]
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	if err := n.handOver(ctx, n.replica.Load().leadership.Load(), id); err == nil || !err.Unknown {
		t.Errorf("a transfer to a node that is down: %+v", err)
	}
}
