package fsm

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// entry applies several commands as one log entry.
func (s *scenario) entry(commands ...*fsmpb.Command) []*fsmpb.Result {
	s.t.Helper()
	e := &fsmpb.Entry{NowMs: s.now}
	for _, c := range commands {
		e.Commands = append(e.Commands, encode(c))
	}
	l := &raft.Log{Index: uint64(len(s.logs) + 1), Term: 1, Type: raft.LogCommand, Data: encode(e)}
	s.logs = append(s.logs, l)
	return s.fsm.Apply(l).([]*fsmpb.Result)
}

func (s *scenario) numberedSend(number uint64) *fsmpb.Command {
	return &fsmpb.Command{
		Principal: s.admin, Session: &fsmpb.Session{Epoch: s.epochs[0], Number: number},
		Op: &fsmpb.Command_SendMessage{SendMessage: &fsmpb.SendMessage{Queue: "q", Messages: []*fsmpb.NewMessage{{}}}},
	}
}

func (s *scenario) ready() uint64 { return s.fsm.state.queues["q"].rec.Ready }

func TestTwoCopiesOfACommandInOneEntryHaveOneEffect(t *testing.T) {
	s := newScenario(t)
	s.run("create-queue q\nsession n1-1 nonce=a\n----\n")
	results := s.entry(s.numberedSend(1), s.numberedSend(2), s.numberedSend(1))
	if s.ready() != 2 {
		t.Errorf("%d messages are stored, want 2", s.ready())
	}
	first, copied := results[0].GetSend().GetMessages()[0], results[2].GetSend().GetMessages()[0]
	if results[2].Remembered != fsmpb.Remembered_BY_SESSION || copied.GetSequence() != first.GetSequence() {
		t.Errorf("the copy is answered %v, want what the first was answered: %v", results[2], results[0])
	}
}

// What a client is told of its key must not depend on whether a node had to ask twice.
func TestARepeatedSendThatItsKeyHasAnsweredStaysThat(t *testing.T) {
	s := newScenario(t)
	s.run("create-queue q\nsession n1-1 nonce=a\n----\n")
	keyed := func(number uint64) *fsmpb.Command {
		c := s.numberedSend(number)
		c.GetSendMessage().IdempotencyKey = &fsmpb.IdempotencyKey{Key: "once"}
		return c
	}
	s.entry(keyed(1))
	for range 2 {
		if r := s.entry(keyed(2))[0]; r.Remembered != fsmpb.Remembered_BY_IDEMPOTENCY_KEY {
			t.Errorf("answered %v", r)
		}
	}
}

// What a session can't keep any more is stale: it may have been applied, so it is not applied again.
func TestASessionForgetsTheOldestAndAppliesItNeverAgain(t *testing.T) {
	s := newScenario(t)
	s.run("create-queue q max=100000000\nsession n1-1 nonce=a\n----\n")
	const perEntry = 512
	number := uint64(10)
	for number < 10+MaxSessionResults+perEntry {
		var commands []*fsmpb.Command
		for range perEntry {
			commands = append(commands, s.numberedSend(number))
			number++
		}
		s.entry(commands...)
	}
	stored := s.ready()
	kept := s.fsm.state.scopes[s.epochs[0]].session
	if len(kept.answers) != MaxSessionResults {
		t.Errorf("%d results are remembered, want %d", len(kept.answers), MaxSessionResults)
	}
	for old, want := range map[uint64]string{10: CodeStale, 1: CodeStale, 10 + perEntry: ""} {
		if got := s.entry(s.numberedSend(old))[0].GetError().GetCode(); got != want {
			t.Errorf("number %d is answered %q, want %q", old, got, want)
		}
	}
	if s.ready() != stored {
		t.Errorf("numbers that came again stored %d messages", s.ready()-stored)
	}
	reopened := openTestFSM(t, vfs.NewMem(), 1)
	install(t, s.fsm, reopened)
	if got := len(reopened.state.scopes[s.epochs[0]].session.answers); got != MaxSessionResults {
		t.Errorf("a replica that installed the state remembers %d results, want %d", got, MaxSessionResults)
	}
}

func TestAUserHasOnlySoManyIdempotencyKeys(t *testing.T) {
	s := newScenario(t)
	s.run("create-queue q max=100000000\n----\n")
	send := func(key int) *fsmpb.Command {
		return &fsmpb.Command{Principal: s.admin, Op: &fsmpb.Command_SendMessage{SendMessage: &fsmpb.SendMessage{
			Queue: "q", Messages: []*fsmpb.NewMessage{{}}, IdempotencyKey: &fsmpb.IdempotencyKey{Key: fmt.Sprint(key)},
		}}}
	}
	for first := 0; first < MaxIdempotencyKeys; first += 500 {
		var commands []*fsmpb.Command
		for key := range 500 {
			commands = append(commands, send(first+key))
		}
		s.entry(commands...)
	}
	if r := s.entry(send(0))[0]; r.Remembered != fsmpb.Remembered_BY_IDEMPOTENCY_KEY {
		t.Errorf("the oldest of %d keys is not remembered: %v", MaxIdempotencyKeys, r)
	}
	s.entry(send(MaxIdempotencyKeys))
	for key, want := range map[int]fsmpb.Remembered{
		1: fsmpb.Remembered_BY_IDEMPOTENCY_KEY, MaxIdempotencyKeys: fsmpb.Remembered_BY_IDEMPOTENCY_KEY,
	} {
		if r := s.entry(send(key))[0]; r.Remembered != want {
			t.Errorf("key %d: %v, want %v", key, r, want)
		}
	}
	if r := s.entry(send(0))[0]; r.Remembered != fsmpb.Remembered_NOT_REMEMBERED {
		t.Errorf("the key that made room is still remembered: %v", r)
	}
	if n := s.fsm.state.scopes[1]; n.rec.Next-n.rec.First != MaxIdempotencyKeys {
		t.Errorf("%d keys are remembered, want %d", n.rec.Next-n.rec.First, MaxIdempotencyKeys)
	}
}

// A user's keys end one after the other, and an idle cluster has nothing left to do for them.
func TestRememberedResultsEndWithTheirTime(t *testing.T) {
	s := newScenario(t)
	s.run("create-queue q\nsession n1-1 nonce=a\nsend q \"a\" key=1\nsend q \"b\" session=e1 number=1\ntick 1m\nsend q \"c\" key=2\n----\n")
	if due := s.fsm.NextDue(); due != s.now+9*60_000 {
		t.Errorf("the first is due %d ms from now, want 9 minutes", due-s.now)
	}
	s.run("tick 9m\n----\n")
	if c := s.fsm.state.scopes[1]; c.rec.Next-c.rec.First != 1 {
		t.Errorf("%d keys are remembered, want the one of the last minutes", c.rec.Next-c.rec.First)
	}
	s.run("tick 1m\n----\n")
	if s.fsm.state.scopes[1] != nil || len(s.fsm.state.scopes[s.epochs[0]].session.answers) != 0 {
		t.Error("results are remembered beyond their time")
	}
	if due := s.fsm.NextDue(); due < s.now+3_600_000 {
		t.Errorf("something is due %d ms from now though nothing is remembered", due-s.now)
	}
}
