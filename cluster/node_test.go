package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func TestEveryNodeAnswersEveryRequest(t *testing.T) {
	t.Parallel()
	logStores(t, func(t *testing.T, logStore string) {
		c := newTestCluster(t, logStore, 3, nil)
		for round := range 50 {
			queue := fmt.Sprintf("q%d", round)
			c.createQueue(round%3, queue)
			c.send((round+1)%3, queue, "job")
			if got := c.receive((round+2)%3, queue, 10, 0); !slices.Equal(got, []string{"job"}) {
				t.Fatalf("round %d: received %q", round, got)
			}
		}
	})
}

// A node refuses nothing from its own state, which may be behind: each step uses what the step before made on another node.
func TestNoNodeRefusesWhatAnotherHasJustMade(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "wal", 3, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*testDeadline)
	defer cancel()
	for round := range 300 {
		user, queue := fmt.Sprintf("user%d", round), fmt.Sprintf("queue%d", round)
		c.propose(round%3, &fsmpb.Command{Op: &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: user, PasswordHash: "h"}}})
		found, err := c.nodes[(round+1)%3].Read(ctx, &fsmpb.Query{Op: &fsmpb.Query_GetUser{GetUser: &fsmpb.GetUser{Name: user}}})
		if err != nil || found.Error != nil {
			t.Fatalf("round %d: %s is not known on the next node: %v, %v", round, user, found, err)
		}
		principal := &fsmpb.Principal{User: found.GetUser().Id, Version: found.GetUser().Version, Name: user}
		for step, command := range []*fsmpb.Command{
			{Principal: principal, Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{Name: queue, Settings: &fsmpb.QueueSettings{MaxLength: 1}}}},
			{Principal: principal, Op: sendCommand(queue, "job").Op},
		} {
			result, err := c.nodes[(round+2+step)%3].Propose(ctx, command)
			if err != nil || result.Error != nil {
				t.Fatalf("round %d, step %d: %v, %v", round, step, result, err)
			}
		}
	}
}

func TestAcknowledgedMessagesSurviveTheLeader(t *testing.T) {
	t.Parallel()
	logStores(t, func(t *testing.T, logStore string) {
		c := newTestCluster(t, logStore, 3, nil)
		c.createQueue(0, "q")
		var sent []string
		for round := range 3 {
			leader := c.leader()
			for i := range 10 {
				body := fmt.Sprintf("%d-%d", round, i)
				c.send(i%3, "q", body)
				sent = append(sent, body)
			}
			c.stop(leader)
			c.leader()
			c.send((leader+1)%3, "q", fmt.Sprintf("%d-after", round))
			sent = append(sent, fmt.Sprintf("%d-after", round))
			c.start(leader)
		}
		var got []string
		for len(got) < len(sent) {
			bodies := c.receive(len(got)%3, "q", 10, time.Second)
			if len(bodies) == 0 {
				break
			}
			got = append(got, bodies...)
		}
		if !slices.Equal(got, sent) {
			t.Errorf("received %q, want %q", got, sent)
		}
	})
}

func TestAnEmptyReceiveCostsNoLogEntry(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	r := c.nodes[leader].replica.Load()
	before := r.raft.CommitIndex()
	for i := range 1_000 {
		if got := c.receive(i%3, "q", 1, 0); len(got) != 0 {
			t.Fatalf("received %q from an empty queue", got)
		}
	}
	if after := r.raft.CommitIndex(); after != before {
		t.Errorf("1,000 empty receives made %d log entries", after-before)
	}
}

func TestParallelSendsShareEntries(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	c.createQueue(0, "q")
	l := c.nodes[c.leader()].replica.Load().leadership.Load()
	entries, commands := l.writes.counts()
	release := l.writes.hold()
	var all sync.WaitGroup
	for i := range 256 {
		all.Go(func() { c.send(0, "q", fmt.Sprint(i)) })
	}
	eventually(t, "256 sends in the queue", func() bool {
		l.writes.mu.Lock()
		defer l.writes.mu.Unlock()
		return len(l.writes.queue) == 256
	})
	release()
	all.Wait()
	entriesAfter, commandsAfter := l.writes.counts()
	if commandsAfter-commands != 256 || entriesAfter-entries >= 64 {
		t.Errorf("%d commands in %d entries, want 256 in fewer than 64", commandsAfter-commands, entriesAfter-entries)
	}
}

func TestLongPolls(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	received := make(chan string, 64)
	var polls sync.WaitGroup
	for i := range 30 {
		polls.Go(func() {
			for _, body := range c.receive(i%3, "q", 1, 20*time.Second) {
				received <- body
			}
		})
	}
	l := c.nodes[leader].replica.Load().leadership.Load()
	parked := func() int {
		l.waiters.mu.Lock()
		defer l.waiters.mu.Unlock()
		return l.waiters.parked
	}
	eventually(t, "30 waiting receives", func() bool { return parked() == 30 })
	entries, _ := l.writes.counts()
	c.send((leader+1)%3, "q", "one")
	if got := <-received; got != "one" {
		t.Errorf("received %q", got)
	}
	if after, _ := l.writes.counts(); after-entries != 2 {
		t.Errorf("one message for 30 waiting receives made %d entries, want 2: a send and one receive", after-entries)
	}
	if parked() != 29 {
		t.Errorf("%d receives wait, want 29", parked())
	}
	for i := range 29 {
		c.send(i%3, "q", fmt.Sprint(i))
	}
	polls.Wait()
	close(received)
	if n := len(received); n != 29 {
		t.Errorf("29 messages woke %d receives", n)
	}
}

func TestAClientThatHasGoneTakesNothingWithIt(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	w := c.nodes[leader].replica.Load().leadership.Load().waiters
	for i := range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			_, err := c.nodes[i].Receive(ctx, receiveCommand("q", 1), 20*time.Second)
			done <- err
		}()
		eventually(t, "the receive to wait", w.any)
		cancel()
		if err := <-done; err == nil {
			t.Error("a cancelled receive has a result")
		}
		eventually(t, "the leader to forget the receive", func() bool { return !w.any() })
		c.send(i, "q", "job")
		if got := c.receive(i, "q", 1, 0); !slices.Equal(got, []string{"job"}) {
			t.Errorf("received %q after a client of node %d had gone", got, i)
		}
	}
}

func TestAReceiveWhoseAnswerComesTooLateIsUndone(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	c.createQueue(0, "q")
	c.send(0, "q", "job")
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // the client has gone before the receive is applied
	if _, err := c.nodes[0].Receive(ctx, receiveCommand("q", 1), 0); err == nil {
		t.Error("a cancelled receive has a result")
	}
	if got := c.receive(0, "q", 1, 20*time.Second); !slices.Equal(got, []string{"job"}) {
		t.Errorf("received %q", got)
	}
}

func TestWithoutAMajorityNothingIsAcknowledged(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	c.stop((leader + 1) % 3)
	c.stop((leader + 2) % 3)
	eventually(t, "the leader to step down", func() bool {
		return c.nodes[leader].replica.Load().raft.State() != raft.Leader
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := c.nodes[leader].Propose(ctx, sendCommand("q", "job"))
	failure, ok := err.(*Error)
	if !ok || failure.Code != CodeNoLeader || failure.Unknown {
		t.Errorf("a send without a majority: %v", err)
	}
	if reasons := c.nodes[leader].Ready(); len(reasons) == 0 {
		t.Error("a node without a majority says it is ready")
	}
}

func TestRestartDoesNotReplayTheBacklog(t *testing.T) {
	t.Parallel()
	logStores(t, func(t *testing.T, logStore string) {
		c := newTestCluster(t, logStore, 1, func(c *Config) { c.TrailingLogs, c.SnapshotEntries = 100, 100 })
		c.createQueue(0, "q")
		const messages = 50_000
		for sent := 0; sent < messages; sent += 500 {
			command := sendCommand("q", "job")
			m := command.GetSendMessage()
			for len(m.Messages) < 500 {
				m.Messages = append(m.Messages, m.Messages[0])
			}
			c.propose(0, command)
		}
		r := c.nodes[0].replica.Load()
		r.snapshot()
		c.stop(0)
		c.start(0)
		c.leader()
		r = c.nodes[0].replica.Load()
		if replayed, _ := r.fsm.Progress(); replayed > 10 {
			t.Errorf("%d batches were applied at start", replayed)
		}
		if stats := r.fsm.Store().Stats(); stats.Installs != 0 {
			t.Errorf("the state was restored at start: %+v", stats)
		}
		if n, _ := r.fsm.ReadyMessages("q"); n != messages {
			t.Errorf("%d messages are ready, want %d", n, messages)
		}
	})
}

func TestANodeThatWasAwayLongerThanTheLog(t *testing.T) {
	t.Parallel()
	logStores(t, func(t *testing.T, logStore string) {
		c := newTestCluster(t, logStore, 3, func(c *Config) {
			c.TrailingLogs, c.SnapshotEntries, c.SegmentBytes = 50, 50, 64<<10
		})
		c.createQueue(0, "q")
		away := (c.leader() + 1) % 3
		c.stop(away)
		via := c.leader()
		for i := range 400 {
			c.send(via, "q", fmt.Sprintf("%0200d", i))
		}
		r := c.nodes[via].replica.Load()
		r.snapshot()
		c.start(away)
		eventually(t, "the node to catch up", func() bool {
			return c.nodes[away].FSM().Applied() >= r.fsm.Applied()
		})
		if got := c.nodes[away].FSM().Store().Stats().Installs; got != 1 {
			t.Errorf("%d installs, want 1", got)
		}
		if n, _ := c.nodes[away].FSM().ReadyMessages("q"); n != 400 {
			t.Errorf("the node has %d messages, want 400", n)
		}
		c.stop(via)
		c.leader()
		c.send(away, "q", "after")
	})
}

func TestAllNodesMoveAtOnce(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	c.send(0, "q", "job")
	for i := range c.nodes {
		c.stop(i)
	}
	for i := range c.nodes {
		c.start(i) // on another port behind the same name
	}
	if got := c.receive(2, "q", 1, 10*time.Second); !slices.Equal(got, []string{"job"}) {
		t.Errorf("received %q", got)
	}
}

func TestAWipedNodeComesBackUnderAnotherIdentity(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	c.send(0, "q", "job")
	wiped := (c.leader() + 1) % 3
	old := c.nodes[wiped].ID()
	c.stop(wiped)
	c.nodes[wiped].dir += "-new"
	n := c.open(wiped)
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	target := address((wiped + 1) % 3)
	for n.Join(ctx, []string{target}, c.token) != nil { // refused while the old one counts as up
		if ctx.Err() != nil {
			t.Fatal("the wiped node was not admitted")
		}
	}
	if err := n.WaitVoter(ctx); err != nil {
		t.Fatal(err)
	}
	if n.ID() == old {
		t.Error("the node votes under the id whose votes it has forgotten")
	}
	voters := c.nodes[c.leader()].replica.Load().voters()
	if len(voters) != 3 || slices.Contains(voters, old) {
		t.Errorf("voters are %v, the old id was %s", voters, old)
	}
	if got := c.receive(wiped, "q", 1, 0); !slices.Equal(got, []string{"job"}) {
		t.Errorf("received %q", got)
	}
}

func TestDrainHandsOverAndAnswersPolls(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	poll := make(chan *fsmpb.Result, 1)
	go func() {
		result, err := c.nodes[leader].Receive(context.Background(), receiveCommand("q", 1), 20*time.Second)
		if err != nil {
			t.Error(err)
		}
		poll <- result
	}()
	eventually(t, "the receive to wait", c.nodes[leader].replica.Load().leadership.Load().waiters.any)
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	c.nodes[leader].Drain(ctx)
	if result := <-poll; len(result.GetReceive().Deliveries) != 0 {
		t.Errorf("the poll got %v", result)
	}
	if reasons := c.nodes[leader].Ready(); len(reasons) == 0 {
		t.Error("a draining node says it is ready")
	}
	if next := c.nodes[leader].replica.Load().leader(); next == c.nodes[leader].ID() || next == "" {
		t.Errorf("leader after the drain is %q", next)
	}
	c.send(leader, "q", "forwarded")
}

// A receive that may wait was answered with nothing by a node that is about to stop, whatever there was.
func TestADrainingNodeReceivesWhatIsReady(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, nil)
	c.createQueue(0, "q")
	c.send(0, "q", "job")
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	via := c.nodes[c.leader()]
	via.Drain(ctx)
	result, err := via.Receive(ctx, receiveCommand("q", 1), fsm.MaxWait)
	if err != nil {
		t.Fatal(err)
	}
	if got := result.GetReceive().GetDeliveries(); len(got) != 1 {
		t.Errorf("received %v though a message was ready", got)
	}
}

func TestACertificateIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	var days atomic.Int64 // that have passed
	c := newTestCluster(t, "bolt", 2, func(c *Config) {
		c.Wall = func() time.Time { return time.Now().Add(time.Duration(days.Load()) * 24 * time.Hour) }
	})
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	until := func(i int) time.Time {
		identity, err := transport.Load(filepath.Join(c.nodes[i].dir, tlsDir))
		if err != nil {
			t.Fatal(err)
		}
		return identity.Certificate.Leaf.NotAfter
	}
	before := []time.Time{until(0), until(1)}
	renew := func() {
		for i := range c.nodes {
			if err := c.nodes[i].renewIfDue(ctx); err != nil {
				t.Fatalf("%s: %v", name(i), err)
			}
		}
	}
	renew()
	for i := range c.nodes {
		if !until(i).Equal(before[i]) {
			t.Errorf("%s renewed a new certificate", name(i))
		}
	}
	days.Store(300)
	renew()
	for i := range c.nodes {
		if got := until(i).Sub(before[i]); got < 299*24*time.Hour {
			t.Errorf("the certificate of %s ends %s after the first", name(i), got)
		}
	}
}

// The deletes of a receive are made once and at once, in one entry with the receive, also if it then waits for messages.
func TestAReceiveThatDeletesWaitsForTheNextMessage(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	c.send(0, "q", "first")
	leader := c.leader()
	via := (leader + 1) % 3
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	first, err := c.nodes[via].Receive(ctx, receiveCommand("q", 1), 0)
	if err != nil {
		t.Fatal(err)
	}
	d := first.GetReceive().Deliveries[0]
	command := receiveCommand("q", 1)
	command.GetReceiveMessage().Delete = []*fsmpb.Receipt{{Queue: first.GetReceive().Queue, Sequence: d.Sequence, Delivery: d.Delivery}}
	l := c.nodes[leader].replica.Load().leadership.Load()
	before, _ := l.writes.counts()
	second := make(chan *fsmpb.Result, 1)
	go func() {
		result, err := c.nodes[via].Receive(ctx, command, 20*time.Second)
		if err != nil {
			t.Error(err)
		}
		second <- result
	}()
	eventually(t, "the receive to wait", l.waiters.any)
	if after, _ := l.writes.counts(); after != before+1 {
		t.Errorf("deleting and finding nothing made %d entries, want 1", after-before)
	}
	c.send(leader, "q", "second")
	got := (<-second).GetReceive()
	if len(got.GetDeliveries()) != 1 || len(got.GetDeleteErrors()) != 1 || got.DeleteErrors[0].Code != "" {
		t.Errorf("received %v", got)
	}
}

// What waits ends when its node drains, also if it has deleted before, and says what became of the deletes.
func TestADrainEndsAPollThatDeletes(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, nil)
	c.createQueue(0, "q")
	c.send(0, "q", "job")
	leader := c.leader()
	via := c.nodes[1-leader]
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	first, err := via.Receive(ctx, receiveCommand("q", 1), 0)
	if err != nil {
		t.Fatal(err)
	}
	d := first.GetReceive().Deliveries[0]
	command := receiveCommand("q", 1)
	command.GetReceiveMessage().Delete = []*fsmpb.Receipt{{Queue: first.GetReceive().Queue, Sequence: d.Sequence, Delivery: d.Delivery}}
	second, began := make(chan *fsmpb.Result, 1), time.Now()
	go func() {
		result, err := via.Receive(ctx, command, fsm.MaxWait)
		if err != nil {
			t.Error(err)
		}
		second <- result
	}()
	eventually(t, "the receive to wait", c.nodes[leader].replica.Load().leadership.Load().waiters.any)
	via.Drain(ctx)
	got := (<-second).GetReceive()
	if len(got.GetDeliveries()) != 0 || len(got.GetDeleteErrors()) != 1 || got.DeleteErrors[0].Code != "" {
		t.Errorf("received %v", got)
	}
	if time.Since(began) >= fsm.MaxWait {
		t.Error("the drain did not end the receive")
	}
}
