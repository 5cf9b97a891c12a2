package logstore_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// hand plays the leader of a follower, one request at a time.
type hand struct {
	t     *testing.T
	to    *node
	trans *raft.InmemTransport
}

func newHand(t *testing.T, to *node) *hand {
	_, trans := raft.NewInmemTransportWithTimeout("hand", 10*time.Second)
	h := &hand{t: t, to: to, trans: trans}
	t.Cleanup(func() {
		if err := trans.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *hand) header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("hand"), Addr: []byte("hand")}
}

func (h *hand) members() raft.Configuration {
	return raft.Configuration{Servers: []raft.Server{{ID: "hand", Address: "hand"}, {ID: "f", Address: "f"}}}
}

// entry returns the entry of the hand's log at index: the member list first, then commands.
func (h *hand) entry(index, term uint64) *raft.Log {
	if index == 1 {
		return &raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(h.members())}
	}
	return &raft.Log{Index: index, Term: term, Data: fmt.Appendf(nil, "%d of term %d", index, term)}
}

// connect reaches the follower's present life.
func (h *hand) connect() { h.trans.Connect(h.to.trans.LocalAddr(), h.to.trans) }

// append sends entries first to last and tells whether they were taken. The entry before has term prev.
func (h *hand) append(term, prev, first, last, commit uint64) bool {
	h.t.Helper()
	req := &raft.AppendEntriesRequest{
		RPCHeader: h.header(), Term: term, PrevLogEntry: first - 1, PrevLogTerm: prev, LeaderCommitIndex: commit,
	}
	for i := first; i <= last; i++ {
		req.Entries = append(req.Entries, h.entry(i, term))
	}
	var resp raft.AppendEntriesResponse
	if err := h.trans.AppendEntries("f", "f", req, &resp); err != nil {
		h.t.Fatal(err)
	}
	return resp.Success
}

// state returns the state after entries 1 to index of a term as a stream.
func (h *hand) state(index, term uint64) (*raft.SnapshotMeta, []byte) {
	h.t.Helper()
	s, err := store.Open("state", store.Options{FS: vfs.NewMem(), CacheBytes: 1 << 20, Fatal: func(err error) { h.t.Error(err) }})
	if err != nil {
		h.t.Fatal(err)
	}
	defer s.Close()
	for i := uint64(1); i <= index; i++ {
		machine{s}.Apply(h.entry(i, term))
	}
	list, err := s.Snapshots().List()
	if err != nil {
		h.t.Fatal(err)
	}
	meta, rc, err := s.Snapshots().Open(list[0].ID)
	if err != nil {
		h.t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		h.t.Fatal(err)
	}
	return meta, b
}

// install sends the state at index and tells whether it was taken.
func (h *hand) install(term, index uint64) bool {
	h.t.Helper()
	meta, b := h.state(index, term)
	req := &raft.InstallSnapshotRequest{
		RPCHeader: h.header(), SnapshotVersion: raft.SnapshotVersionMax, Term: term, LastLogIndex: index, LastLogTerm: meta.Term,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex, Size: meta.Size,
	}
	var resp raft.InstallSnapshotResponse
	if err := h.trans.InstallSnapshot("f", "f", req, &resp, bytes.NewReader(b)); err != nil {
		return false
	}
	return resp.Success
}

// startFollower starts a lone follower and its leader's hand.
func startFollower(t *testing.T, kind logstore.Kind) *hand {
	n := newNode(t, "f", kind)
	h := newHand(t, n)
	h.restart()
	t.Cleanup(func() { n.kill(rand.New(rand.NewPCG(1, 1))) })
	return h
}

// restart kills the follower, losing everything unsynced, and starts it again.
func (h *hand) restart() {
	h.t.Helper()
	h.to.kill(rand.New(rand.NewPCG(1, 1)))
	h.to.startQuietly()
	h.connect()
}

// startQuietly runs raft without a vote of its own in sight: it never stands for election.
func (n *node) startQuietly() {
	n.t.Helper()
	n.open()
	_, n.trans = raft.NewInmemTransportWithTimeout("f", 10*time.Second)
	c := n.config()
	c.HeartbeatTimeout, c.ElectionTimeout = time.Hour, time.Hour
	var err error
	if n.raft, err = raft.NewRaft(c, machine{n.s}, n.logs, n.logs, n.s.Snapshots(), n.trans); err != nil {
		n.t.Fatal(err)
	}
}

// wantLog checks that the follower's log holds the entries first to last of a term.
func (h *hand) wantLog(first, last, term uint64) {
	h.t.Helper()
	for i := first; i <= last; i++ {
		var l raft.Log
		if err := h.to.logs.GetLog(i, &l); err != nil || l.Term != term {
			h.t.Fatalf("entry %d: term %d, %v; want term %d", i, l.Term, err, term)
		}
	}
}

func (h *hand) wantApplied(index uint64) {
	h.t.Helper()
	eventually(h.t, fmt.Sprintf("entry %d applied", index), func() bool { return h.to.s.Position().Index >= index })
	if _, count := h.to.hash(); count != int(index)-1 || h.to.s.Position().Index != index {
		h.t.Errorf("%d commands at %d, want %d at %d", count, h.to.s.Position().Index, index-1, index)
	}
}

// An acknowledged entry stays, even when a state that ends before it is installed: raft would clear a log that cannot
// have holes and go on as if the entries were there.
func TestAnInstallKeepsAcknowledgedEntriesBehindIt(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		h := startFollower(t, kind)
		if !h.append(1, 0, 1, 20, 5) {
			t.Fatal("append refused")
		}
		h.wantApplied(5)
		if !h.install(1, 10) {
			t.Fatal("install refused")
		}
		h.wantLog(11, 20, 1)
		if !h.append(1, 1, 21, 22, 22) {
			t.Fatal("append behind the kept entries refused")
		}
		h.wantApplied(22)
		h.restart() // at 10 again
		h.wantLog(11, 22, 1)
		if !h.append(1, 1, 23, 23, 23) {
			t.Fatal("append after the restart refused")
		}
		h.wantApplied(23)
		if len(h.to.restarts) != 0 {
			t.Error("the node asked for a restart")
		}
	})
}

// raft#697 by hand: the log holds other entries around the installed one.
func TestAnInstallInsideAConflictingTailNeedsARestart(t *testing.T) {
	for _, index := range []uint64{10, 20} { // inside the tail, and its last entry
		kinds(t, func(t *testing.T, kind logstore.Kind) {
			h := startFollower(t, kind)
			if !h.append(1, 0, 1, 20, 5) {
				t.Fatal("append refused")
			}
			h.wantApplied(5)
			if h.install(2, index) {
				t.Error("the install was answered as done before the restart")
			}
			if len(h.to.restarts) != 1 {
				t.Fatalf("%d restarts asked for, want 1", len(h.to.restarts))
			}
			h.restart()
			h.wantApplied(index)
			if first, err := h.to.logs.FirstIndex(); err != nil || first != 0 {
				t.Errorf("the log begins at %d, %v; want it empty", first, err)
			}
			if !h.append(2, 2, index+1, index+5, index+5) {
				t.Fatal("append after the restart refused")
			}
			h.wantApplied(index + 5)
			h.restart()
			h.wantLog(index+1, index+5, 2)
		})
	}
}

// Entries acknowledged behind an install survive a crash that takes the applied index back to the install, on a log
// that begins behind it.
func TestEntriesBehindAnInstallSurviveACrash(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		h := startFollower(t, kind)
		if !h.append(1, 0, 1, 5, 5) {
			t.Fatal("append refused")
		}
		h.wantApplied(5)
		if !h.install(1, 50) {
			t.Fatal("install refused")
		}
		if !h.append(1, 1, 51, 60, 60) {
			t.Fatal("append behind the install refused")
		}
		h.wantApplied(60)
		h.restart()
		h.wantLog(51, 60, 1)
		if !h.append(1, 1, 61, 61, 61) {
			t.Fatal("append after the restart refused")
		}
		h.wantApplied(61)
	})
}

// A late copy of an old state changes nothing, whatever it is answered.
func TestALateInstallChangesNothing(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		h := startFollower(t, kind)
		if !h.append(1, 0, 1, 20, 20) {
			t.Fatal("append refused")
		}
		h.wantApplied(20)
		if h.install(1, 10) {
			t.Error("a state older than the present one was installed")
		}
		h.wantLog(1, 20, 1)
		if !h.append(1, 1, 21, 21, 21) {
			t.Fatal("append refused")
		}
		h.wantApplied(21)
	})
}
