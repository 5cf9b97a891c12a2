package fsm

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func TestAdvanceLeavesWorkOverInsteadOfStoppingTheCluster(t *testing.T) {
	s := newScenario(t)
	s.outcome(&fsmpb.Command{Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
		Name: "q", Settings: &fsmpb.QueueSettings{MaxLength: MaxQueueLength, VisibilityTimeoutS: 30},
	}}})
	messages := make([]*fsmpb.NewMessage, 2_500)
	for i := range messages {
		messages[i] = &fsmpb.NewMessage{Content: []byte("x"), DelayS: 10}
	}
	s.outcome(&fsmpb.Command{Op: &fsmpb.Command_SendMessage{SendMessage: &fsmpb.SendMessage{Queue: "q", Messages: messages}}})
	s.now += 10_000
	for i, want := range []int64{1_000, 2_000, 2_500} {
		s.outcome(&fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}})
		if got, _ := s.fsm.ReadyMessages("q"); got != want {
			t.Errorf("after tick %d: %d ready, want %d", i+1, got, want)
		}
		if left := s.fsm.NextDue() <= s.fsm.Now(); left != (want < 2_500) {
			t.Errorf("after tick %d: work left over is %v", i+1, left)
		}
	}
}

func TestAnUnknownCommandStopsTheReplica(t *testing.T) {
	var fatal error
	f, err := Open("state", Options{FS: vfs.NewMem(), Fatal: func(err error) { fatal = err }})
	if err != nil {
		t.Fatal(err)
	}
	s := newScenario(t)
	f.ApplyBatch(s.logs)
	for name, entry := range map[string][]byte{
		"an unknown operation": encode(&fsmpb.Entry{Commands: [][]byte{{}}}),
		"a damaged entry":      {0xff},
		"a damaged command":    encode(&fsmpb.Entry{Commands: [][]byte{{0xff}}}),
	} {
		fatal = nil
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Apply returned", name)
				}
			}()
			f.Apply(&raft.Log{Index: 2, Type: raft.LogCommand, Data: entry})
		}()
		if fatal == nil {
			t.Errorf("%s: the process was not ended", name)
		}
	}
	if before := f.Applied(); before != 1 {
		t.Errorf("applied index is %d, want 1", before)
	}
}

func TestEntriesThatTheStoreHoldsAreSkipped(t *testing.T) {
	s := newScenario(t)
	s.run("create-queue q\nsend q \"a\"\n----\n")
	before := contents(s.fsm)
	for _, result := range s.fsm.ApplyBatch(s.logs) {
		if result != nil {
			t.Errorf("an entry was applied again: %v", result)
		}
	}
	if after := contents(s.fsm); after != before {
		t.Error(firstDifference(after, before))
	}
}

func TestCommandsOfAnInvalidatedTokenAreRefused(t *testing.T) {
	s := newScenario(t)
	s.run("register alice\n----\n")
	alice := s.user("alice")
	send := func(p *fsmpb.Principal) string {
		r := s.apply(&fsmpb.Command{Principal: p, Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{Name: "q"}}})
		return r.GetError().GetCode()
	}
	if got := send(nil); got != CodeUnauthenticated {
		t.Errorf("without a principal: %q", got)
	}
	s.run("change-password alice\n----\n")
	if got := send(alice); got != CodeUnauthenticated {
		t.Errorf("after a change of the password: %q", got)
	}
	if got := send(s.user("alice")); got != "" {
		t.Errorf("with the new version: %q", got)
	}
}

func TestReceiptHandlesCannotBeGuessed(t *testing.T) {
	r := &fsmpb.Receipt{Queue: 7, Sequence: 9, Delivery: 2}
	handle := NewReceipts([]byte("key")).Encode(r)
	got, ok := NewReceipts([]byte("key")).Decode(handle)
	if !ok || got.Queue != 7 || got.Sequence != 9 || got.Delivery != 2 {
		t.Fatalf("decoded %v, %v", got, ok)
	}
	if _, ok := NewReceipts([]byte("another key")).Decode(handle); ok {
		t.Error("a handle of another cluster is accepted")
	}
	for i := range handle {
		b := []byte(handle)
		b[i] ^= 1
		if _, ok := NewReceipts([]byte("key")).Decode(string(b)); ok {
			t.Errorf("a handle with character %d changed is accepted", i)
		}
	}
	if got := MessageID(7, 9); got != "00000000-0000-0007-0000-000000000009" {
		t.Errorf("message id %s", got)
	}
}

func FuzzDecodeReceipt(f *testing.F) {
	f.Add(NewReceipts([]byte("key")).Encode(&fsmpb.Receipt{Queue: 1, Sequence: 2, Delivery: 3}))
	f.Add("")
	f.Fuzz(func(t *testing.T, handle string) {
		if r, ok := NewReceipts([]byte("key")).Decode(handle); ok && NewReceipts([]byte("key")).Encode(r) != handle {
			t.Errorf("%q is another spelling of a handle", handle)
		}
	})
}

func FuzzDecodeDelivery(f *testing.F) {
	f.Add(delivery{size: 1, number: 2, count: 3, first: 4, until: 5, leased: true}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, ok := decodeDelivery(b); ok {
			if again, ok := decodeDelivery(d.encode()); !ok || again != d {
				t.Errorf("%x decodes to %+v and back to %+v", b, d, again)
			}
		}
	})
}

// FuzzApply gives random bytes as an entry: either the replica stops, or it goes on with its counters right.
func FuzzApply(f *testing.F) {
	f.Add(encode(&fsmpb.Entry{NowMs: 5, Commands: [][]byte{encode(&fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}})}}))
	f.Add([]byte{0xff})
	for seed := range uint64(8) {
		f.Add(newGenerator(seed).entry())
	}
	errStopped := errors.New("stopped")
	f.Fuzz(func(t *testing.T, entry []byte) {
		s, err := Open("state", Options{FS: vfs.NewMem(), Fatal: func(error) { panic(errStopped) }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			r := recover()
			if r != nil && r != errStopped {
				panic(r)
			}
			if err := s.Close(); err != nil && r == nil { // stopped half-way it may have iterators open
				t.Error(err)
			}
		}()
		s.Apply(&raft.Log{Index: 1, Term: 1, Type: raft.LogCommand, Data: entry})
		checkCounters(t, s)
		checkUsers(t, s)
	})
}
