package logstore_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
	"github.com/fastqueue/fastqueue/fsm/store"
)

const (
	hashKey   = "hash" // of all commands so far, in their order
	valueKeys = "v/"   // one key per command
)

// machine is the smallest state machine on the store: it keeps every command and a hash over all of them.
type machine struct{ s *store.Store }

func (m machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

func (m machine) ApplyBatch(logs []*raft.Log) []any {
	p := m.s.Position()
	b := m.s.NewBatch()
	for _, l := range logs {
		if l.Index <= p.Index {
			continue
		}
		p.Index, p.Term = l.Index, l.Term
		if l.Type == raft.LogConfiguration {
			p.Configuration, p.ConfigurationIndex = raft.DecodeConfiguration(l.Data), l.Index
			continue
		}
		b.Set(append([]byte(valueKeys), l.Data...), fmt.Append(nil, l.Index))
		old, _ := b.Get([]byte(hashKey))
		sum := sha256.Sum256(append(append([]byte{}, old...), l.Data...))
		b.Set([]byte(hashKey), sum[:])
	}
	if p.Index > m.s.Position().Index {
		b.Commit(p)
	} else {
		b.Close()
	}
	return make([]any, len(logs))
}

func (m machine) Snapshot() (raft.FSMSnapshot, error) { return m.s.Snapshot() }
func (m machine) Restore(rc io.ReadCloser) error      { return m.s.Restore(rc) }

// node is one member: its disk, and while it runs the raft on it.
type node struct {
	t    *testing.T
	name string
	kind logstore.Kind
	fs   *vfs.MemFS // of the state
	dir  string     // of the log

	trailing  uint64
	onInstall func()
	wrap      func(logstore.Store) logstore.Store // of the log that raft uses; may be nil
	watch     errorfs.Injector                    // of calls on the state's file system; may be nil
	restarts  chan string                         // reasons for which the node asked to be started again
	installs  uint64                              // of earlier lives

	trans *raft.InmemTransport
	s     *store.Store
	logs  logstore.Store
	raft  *raft.Raft
}

func newNode(t *testing.T, name string, kind logstore.Kind) *node {
	return &node{
		t: t, name: name, kind: kind, fs: vfs.NewCrashableMem(), dir: filepath.Join(t.TempDir(), name),
		trailing: 10, onInstall: func() {}, restarts: make(chan string, 16),
	}
}

// open opens state and log and makes them fit.
func (n *node) open() {
	n.t.Helper()
	fatal := func(err error) { n.t.Errorf("node %s would end: %v", n.name, err) }
	var err error
	n.logs, err = logstore.Open(n.dir, n.kind, logstore.Options{SegmentBytes: 4 << 10, Fatal: fatal})
	if err != nil {
		n.t.Fatal(err)
	}
	if n.wrap != nil {
		n.logs = n.wrap(n.logs)
	}
	var fs vfs.FS = n.fs
	if n.watch != nil {
		fs = errorfs.Wrap(fs, n.watch)
	}
	n.s, err = store.Open("state", store.Options{
		FS: fs, CacheBytes: 1 << 20, Fatal: fatal, Log: n.logs, OnInstall: func() { n.onInstall() },
		Restart: func(reason string) { n.restarts <- reason },
	})
	if err != nil {
		n.t.Fatal(err)
	}
	p, in := n.s.Position(), n.s.Installed()
	applied := logstore.Applied{Index: p.Index, Term: p.Term, InstalledIndex: in.Index, InstalledTerm: in.Term}
	if err := logstore.Reconcile(n.logs, applied); err != nil {
		n.t.Fatalf("node %s: %v", n.name, err)
	}
}

func (n *node) config() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.name)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 200*time.Millisecond, 200*time.Millisecond, 150*time.Millisecond
	c.CommitTimeout = 5 * time.Millisecond
	c.MaxAppendEntries, c.BatchApplyCh = 16, true
	c.SnapshotThreshold, c.SnapshotInterval, c.TrailingLogs = 1<<40, time.Hour, n.trailing
	c.NoSnapshotRestoreOnStart = true
	c.Logger = hclog.NewNullLogger()
	return c
}

// start opens the node and runs raft on it; members bootstrap it if it is new.
func (n *node) start(members raft.Configuration) {
	n.t.Helper()
	n.open()
	_, n.trans = raft.NewInmemTransportWithTimeout(raft.ServerAddress(n.name), 500*time.Millisecond)
	has, err := raft.HasExistingState(n.logs, n.logs, n.s.Snapshots())
	if err != nil {
		n.t.Fatal(err)
	}
	if !has {
		if err := raft.BootstrapCluster(n.config(), n.logs, n.logs, n.s.Snapshots(), n.trans, members); err != nil {
			n.t.Fatal(err)
		}
	}
	n.raft, err = raft.NewRaft(n.config(), machine{n.s}, n.logs, n.logs, n.s.Snapshots(), n.trans)
	if err != nil {
		n.t.Fatal(err)
	}
}

// kill stops the node and loses what its state had not synced, or some of it.
func (n *node) kill(rng *rand.Rand) {
	n.t.Helper()
	if n.raft == nil {
		return
	}
	if err := errors.Join(n.raft.Shutdown().Error(), n.trans.Close()); err != nil {
		n.t.Error(err)
	}
	n.raft = nil
	after := n.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	n.installs += n.s.Stats().Installs
	if err := errors.Join(n.s.Close(), n.logs.Close()); err != nil { // on the file system that is given up
		n.t.Error(err)
	}
	n.fs = after
}

// copyDisk returns another node on a copy of this one's disk as a crash at this moment would leave it. Raft must stand
// still.
func (n *node) copyDisk() *node {
	n.t.Helper()
	c := newNode(n.t, n.name, n.kind)
	c.fs = n.fs.CrashClone(vfs.CrashCloneCfg{})
	if err := os.CopyFS(c.dir, os.DirFS(n.dir)); err != nil {
		n.t.Error(err)
	}
	return c
}

// hash returns the machine's hash and the number of commands it holds.
func (n *node) hash() (string, int) {
	r := n.s.NewReader()
	defer r.Close()
	h, _ := r.Get([]byte(hashKey))
	count := 0
	r.Scan([]byte(valueKeys), []byte("v0"), func(_, _ []byte) bool { count++; return true })
	return fmt.Sprintf("%x", h), count
}

// holds tells whether the machine has a command.
func (n *node) holds(command string) bool {
	r := n.s.NewReader()
	defer r.Close()
	_, ok := r.Get([]byte(valueKeys + command))
	return ok
}

// eventually waits for a condition, at most half a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
