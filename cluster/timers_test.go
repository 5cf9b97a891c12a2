package cluster

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// between fails the test unless a time is at least low and less than high.
func between(t testing.TB, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got >= high {
		t.Errorf("%s after %s, want %s to %s", what, got, low, high)
	}
}

// readyAfter is how long it takes until a queue has something ready, for the present leader.
func (c *virtualCluster) readyAfter(began time.Time, queue string, limit time.Duration) time.Duration {
	for time.Since(began) < limit {
		for _, n := range c.nodes {
			if n.Node == nil || n.replica.Load().leadership.Load() == nil {
				continue
			}
			if ready, _ := n.FSM().ReadyMessages(queue); ready > 0 {
				return time.Since(began)
			}
		}
		time.Sleep(time.Millisecond)
	}
	return limit
}

// Nobody asks and nothing else is written: the leader's ticks alone end delays and leases, and so do those of the next.
func TestLeasesAndDelaysEndOnTime(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		virtual(t, "bolt", 3, nil, func(c *virtualCluster) {
			c.createQueue(0, "delayed")
			c.createQueue(0, "leased")
			began := time.Now()
			delayed := sendCommand("delayed", "job")
			delayed.GetSendMessage().Messages[0].DelayS = 20
			c.propose(0, delayed)
			c.send(0, "leased", "job")
			if got := c.receive(1, "leased", 1, 0); len(got) != 1 { // for 30 s
				c.t.Fatalf("received %q", got)
			}
			late := 20 * time.Millisecond
			if crash {
				time.Sleep(19 * time.Second)
				c.crash(c.leader())
				late = 3 * time.Second // an election
			}
			between(c.t, "the delay is over", c.readyAfter(began, "delayed", time.Minute), 20*time.Second, 20*time.Second+late)
			between(c.t, "the lease has ended", c.readyAfter(began, "leased", time.Minute), 30*time.Second, 30*time.Second+20*time.Millisecond)
		})
	}
}

// A poll ends when its client asked it to, also if it has to begin again with another leader.
func TestALongPollEndsOnTime(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"nothing happens", "the leader is lost", "another node is lost"} {
		virtual(t, "bolt", 3, nil, func(c *virtualCluster) {
			c.createQueue(0, "q")
			leader := c.leader()
			via := (leader + 1) % 3
			began := time.Now()
			switch what {
			case "the leader is lost":
				time.AfterFunc(5*time.Second, func() { c.crash(leader) })
			case "another node is lost":
				time.AfterFunc(5*time.Second, func() { c.crash((leader + 2) % 3) })
			}
			if got := c.receive(via, "q", 1, fsm.MaxWait); len(got) != 0 {
				c.t.Errorf("%s: received %q", what, got)
			}
			between(c.t, what+": the poll ends", time.Since(began), fsm.MaxWait-time.Millisecond, fsm.MaxWait+50*time.Millisecond)
		})
	}
}

// A poll that the lost leader had parked is woken by the next one, at once.
func TestALongPollIsWokenByTheNextLeader(t *testing.T) {
	t.Parallel()
	virtual(t, "wal", 3, nil, func(c *virtualCluster) {
		c.createQueue(0, "q")
		leader := c.leader()
		via := (leader + 1) % 3
		received := make(chan []string, 1)
		go func() { received <- c.receive(via, "q", 1, fsm.MaxWait) }()
		time.Sleep(time.Second)
		c.crash(leader)
		next := c.leader()
		eventually(c.t, "the poll to wait there", c.nodes[next].replica.Load().leadership.Load().waiters.any)
		began := time.Now()
		c.send(next, "q", "job")
		if got := <-received; !slices.Equal(got, []string{"job"}) {
			c.t.Errorf("received %q", got)
		}
		between(c.t, "the poll is woken", time.Since(began), 0, 10*time.Millisecond)
	})
}

// Without a majority a request ends when its client's patience does, a poll after leaderless, and both say that nothing
// was done.
func TestWithoutALeaderRequestsEndInTime(t *testing.T) {
	t.Parallel()
	virtual(t, "bolt", 3, nil, func(c *virtualCluster) {
		c.createQueue(0, "q")
		c.crash(1)
		c.crash(2)
		eventually(c.t, "the last node to see it", func() bool { return c.nodes[0].replica.Load().leader() == "" })
		for what, test := range map[string]struct {
			ask       func(context.Context) error
			low, high time.Duration
		}{
			"a send": {func(ctx context.Context) error {
				_, err := c.nodes[0].Propose(ctx, sendCommand("q", "job"))
				return err
			}, 7 * time.Second, 7*time.Second + retryPause},
			"a read": {func(ctx context.Context) error {
				_, err := c.nodes[0].Read(ctx, &fsmpb.Query{Principal: admin, Op: &fsmpb.Query_ListQueues{ListQueues: &fsmpb.ListQueues{Limit: 1}}})
				return err
			}, 7 * time.Second, 7*time.Second + retryPause},
			"a poll": {func(ctx context.Context) error {
				_, err := c.nodes[0].Receive(ctx, receiveCommand("q", 1), fsm.MaxWait)
				return err
			}, leaderless, leaderless + 2*retryPause},
		} {
			ctx, cancel := context.WithTimeout(context.Background(), 7*time.Second)
			began := time.Now()
			err := test.ask(ctx)
			between(c.t, what+" ends", time.Since(began), test.low, test.high)
			var failure *Error
			if !errors.As(err, &failure) || failure.Code != CodeNoLeader || failure.Unknown {
				c.t.Errorf("%s: %v", what, err)
			}
			cancel()
		}
	})
}

// A leader that is cut off in the middle of a send: the node that forwarded it does not wait for an answer that can't
// come, but asks the next leader as soon as there is one.
func TestASendGoesOnWithTheNextLeader(t *testing.T) {
	t.Parallel()
	virtual(t, "bolt", 3, nil, func(c *virtualCluster) {
		c.createQueue(0, "q")
		leader := c.leader()
		via, other := (leader+1)%3, (leader+2)%3
		for _, follower := range []int{via, other} { // the connections stay open, as when a machine is gone
			c.network.hold(address(leader), address(follower), true)
			c.network.hold(address(follower), address(leader), true)
		}
		began := time.Now()
		c.send(via, "q", "job")
		between(c.t, "the send is answered", time.Since(began), 0, 3*time.Second) // an election
		if got := c.receive(other, "q", 10, 0); !slices.Equal(got, []string{"job"}) {
			c.t.Errorf("received %q", got)
		}
	})
}

// The state's time follows the clocks that are right, whoever leads: also the node whose clock is wrong, and while that is
// set in the middle of its term.
func TestTheStatesTimeFollowsTheRightClocks(t *testing.T) {
	t.Parallel()
	var wrong atomic.Int64
	wrong.Store(int64(-time.Hour))
	virtual(t, "bolt", 3, func(c *Config) {
		if c.NodeName == name(1) {
			c.Wall = func() time.Time { return time.Now().Add(time.Duration(wrong.Load())) }
		}
	}, func(c *virtualCluster) {
		c.createQueue(0, "q")
		last := int64(0)
		check := func(what string) {
			t.Helper()
			leader := c.leader()
			c.send(leader, "q", "job") // an entry with the present time
			now := c.nodes[leader].FSM().Now()
			if ahead := now - time.Now().UnixMilli(); now < last || ahead < -100 || ahead > 10 {
				c.t.Errorf("%s: the state's clock is %d ms ahead, and was at %d before %d", what, ahead, last, now)
			}
			last = now
		}
		for round := range 6 {
			check("in a term")
			time.Sleep(25 * time.Second)
			wrong.Store(-wrong.Load())
			check("after the wrong clock was set")
			time.Sleep(25 * time.Second)
			leader := c.leader()
			if round%2 == 0 && leader != 1 {
				ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
				if _, err := c.nodes[leader].TransferLeadership(ctx, name(1)); err != nil {
					c.t.Fatal(err)
				}
				cancel()
				check("after the leadership went to the wrong clock")
				continue
			}
			c.crash(leader)
			check("after a crash")
			c.restart(leader)
		}
	})
}

// A leader that dies beside a clock that is an hour slow: the next one begins with that and its own. Its term must not begin
// with the last entry's time, which is behind by the time without a leader: the term after it would be right again, and what
// was leased meanwhile would end as much early.
func TestATermBeginsInTimeBesideASlowClock(t *testing.T) {
	t.Parallel()
	virtual(t, "bolt", 3, func(c *Config) {
		if c.NodeName == name(1) {
			c.Wall = func() time.Time { return time.Now().Add(-time.Hour) }
		}
	}, func(c *virtualCluster) {
		c.createQueue(0, "q")
		for range 4 {
			time.Sleep(5 * time.Second)
			leader := c.leader()
			if leader == 1 {
				ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
				if _, err := c.nodes[1].TransferLeadership(ctx, name(0)); err != nil {
					c.t.Fatal(err)
				}
				cancel()
				leader = c.leader()
			}
			time.Sleep(5 * time.Second)
			c.crash(leader)
			next := c.leader()
			c.send(next, "q", "job")
			if behind := time.Now().UnixMilli() - c.nodes[next].FSM().Now(); behind < -10 || behind > 50 {
				c.t.Errorf("%s leads, and the state's clock is %d ms behind", name(next), behind)
			}
			c.restart(leader)
		}
	})
}

// Reads with an API key are no entries, and its use is noted in one an hour.
func TestTheUseOfAnAPIKeyIsNotedEveryHour(t *testing.T) {
	t.Parallel()
	virtual(t, "bolt", 1, nil, func(c *virtualCluster) {
		hash := slices.Repeat([]byte{7}, 32)
		c.propose(0, &fsmpb.Command{Op: &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{Name: "k", Hash: hash}}})
		_, before := c.nodes[0].replica.Load().leadership.Load().writes.counts()
		check := &fsmpb.Query{Principal: &fsmpb.Principal{ApiKey: hash}, Op: &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{}}}
		for range 3 * 60 {
			if _, err := c.nodes[0].Read(context.Background(), check); err != nil {
				c.t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		// One use in each of the hours, and a tick when each is over.
		if _, after := c.nodes[0].replica.Load().leadership.Load().writes.counts(); after-before < 5 || after-before > 7 {
			c.t.Errorf("180 reads in three hours made %d commands, want 3 uses and 3 ticks", after-before)
		}
	})
}

// A round that nobody answers ends, and those who came meanwhile get the next.
func TestARoundHasATimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := &rounds{ask: func(ctx context.Context) *Error {
			if asked++; asked == 1 {
				<-ctx.Done()
				return errNotLeader("nobody answers")
			}
			return nil
		}}
		began := time.Now()
		var first, second time.Duration
		r.join(func(err *Error) {
			if first = time.Since(began); err == nil {
				t.Error("a round without answers confirms the leader")
			}
		})
		time.Sleep(roundLimit / 2)
		r.join(func(err *Error) {
			if second = time.Since(began); err != nil {
				t.Errorf("the second round: %v", err)
			}
		})
		synctest.Wait()
		time.Sleep(roundLimit)
		synctest.Wait()
		if first != roundLimit || second != roundLimit || asked != 2 {
			t.Errorf("answers after %s and %s from %d rounds, want two at %s", first, second, asked, roundLimit)
		}
	})
}

// One Apply that takes too long is a stall; many that take long together are none.
func TestAStallIsOneApplyThatDoesNotFinish(t *testing.T) {
	w := stallWatch{limit: applyStall}
	look := w.stalled
	for i := range uint64(30) {
		if look(i+1, i) {
			t.Fatalf("busy for %d s with one Apply a second: counted as a stall", i)
		}
	}
	for range 20 {
		if look(30, 30) {
			t.Fatal("idle: counted as a stall")
		}
	}
	for i := range 11 {
		if got, want := look(31, 30), i >= 10; got != want {
			t.Errorf("an Apply seen running for %d s: stalled is %v", i, got)
		}
	}
}

// After a refusal (no majority, say) those who wait are tried again soon, but not in a circle.
func TestAReceiveThatWasRefusedIsFollowedByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{}
		w := f.waiters()
		for range 2 {
			if err := w.park(newWaiter(1, time.Minute), func(*waiter) { t.Error("expired") }); err != nil {
				t.Fatal(err)
			}
		}
		f.ready = 1
		w.wake("q")
		w.finished(f.proposed[0], false)
		if n := f.count(); n != 1 {
			t.Errorf("%d receives are proposed right after a refusal", n)
		}
		time.Sleep(retryPause)
		synctest.Wait()
		if n := f.count(); n != 2 {
			t.Errorf("%d receives are proposed %s after a refusal, want 2", n, retryPause)
		}
	})
}

// poll receives from q through a node, for as long as a receive may wait.
func (c *virtualCluster) poll(via int) <-chan *fsmpb.Result {
	result := make(chan *fsmpb.Result, 1)
	go func() {
		r, err := c.nodes[via].Receive(context.Background(), receiveCommand("q", 1), fsm.MaxWait)
		if err != nil {
			c.t.Error(err)
		}
		result <- r
	}()
	return result
}

// One whose wait was ended before it parked waited on, and took a message for nobody.
func TestAReceiveThatWasEndedDoesNotPark(t *testing.T) {
	w := newWaiters(func(string) int64 { return 0 }, func(*waiter) {})
	x := &waiter{queue: "q", until: time.Now().Add(time.Minute)}
	x.ended.Store(true)
	if err := w.park(x, func(*waiter) {}); err == nil || err.Unknown || w.any() {
		t.Errorf("parked: %v, error %v", w.any(), err)
	}
}

// A message was released, and taken by somebody later in the order, when the node of the poll that had just got it began to stop.
func TestADrainKeepsWhatAPollHasTaken(t *testing.T) {
	t.Parallel()
	virtual(t, "wal", 3, nil, func(c *virtualCluster) {
		c.createQueue(0, "q")
		leader := c.leader()
		via, third := (leader+1)%3, (leader+2)%3
		result := c.poll(via)
		c.await("the poll to wait", c.nodes[leader].replica.Load().leadership.Load().waiters.any)
		c.network.hold(address(leader), address(via), true)
		c.send(third, "q", "job")
		c.await("the lease", func() bool {
			ready, _ := c.nodes[leader].FSM().ReadyMessages("q")
			return ready == 0
		})
		c.nodes[via].drain()
		time.Sleep(time.Millisecond)
		c.network.hold(address(leader), address(via), false)
		if got := (<-result).GetReceive().GetDeliveries(); len(got) != 1 {
			c.t.Errorf("the poll got %v", got)
		}
	})
}

// A poll whose leader had changed once had no patience left some seconds later, when the next one went or its node drained.
func TestAPollLivesThroughSeveralLeaders(t *testing.T) {
	t.Parallel()
	for _, drain := range []bool{false, true} {
		virtual(t, "wal", 3, nil, func(c *virtualCluster) {
			c.createQueue(0, "q")
			first := c.leader()
			via, third := (first+1)%3, (first+2)%3
			result := c.poll(via)
			waits := func() bool {
				l := c.nodes[c.leader()].replica.Load().leadership.Load()
				return l != nil && l.waiters.any()
			}
			c.await("the poll to wait", waits)
			c.lead(third)
			c.await("the poll to wait at the second leader", waits)
			time.Sleep(leaderless + time.Second)
			if drain {
				c.nodes[via].drain()
				if got := (<-result).GetReceive().GetDeliveries(); len(got) != 0 {
					c.t.Errorf("received %v", got)
				}
			} else {
				c.lead(first)
				c.await("the poll to wait at the third leader", waits)
				c.send(third, "q", "job")
				if got := (<-result).GetReceive().GetDeliveries(); len(got) != 1 {
					c.t.Errorf("received %v", got)
				}
			}
		})
	}
}
