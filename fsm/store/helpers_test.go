package store

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

const testDir = "state"

// fixture is a store in memory.
type fixture struct {
	*Store
	t  *testing.T
	fs vfs.FS
}

// openStore opens a store that fails the test when it would end the process.
func openStore(t *testing.T, fs vfs.FS, change ...func(*Options)) *fixture {
	t.Helper()
	f, err := tryOpen(t, fs, change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func tryOpen(t *testing.T, fs vfs.FS, change ...func(*Options)) (*fixture, error) {
	t.Helper()
	o := Options{FS: fs, CacheBytes: 1 << 20, Fatal: func(err error) { t.Errorf("the store would end the process: %v", err) }}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(testDir, o)
	if err != nil {
		return nil, err
	}
	return &fixture{Store: s, t: t, fs: fs}, nil
}

// apply commits a batch at index that sets the given keys, alternating with their values.
func (f *fixture) apply(index uint64, pairs ...string) {
	f.t.Helper()
	b := f.NewBatch()
	for i := 0; i < len(pairs); i += 2 {
		b.Set([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	b.Commit(at(index))
}

// at returns a position of term 1 (2 from index 1,000) with a member list set by entry 1.
func at(index uint64) Position {
	return Position{Index: index, Term: 1 + index/1_000, Configuration: members("a", "b"), ConfigurationIndex: 1}
}

func members(names ...string) raft.Configuration {
	var c raft.Configuration
	for _, n := range names {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(n), Address: raft.ServerAddress(n + ":1")})
	}
	return c
}

// contents returns the owner's keys.
func (f *fixture) contents() map[string]string {
	r := f.NewReader()
	defer r.Close()
	m := map[string]string{}
	r.Scan([]byte{1}, nil, func(k, v []byte) bool {
		m[string(k)] = string(v)
		return true
	})
	return m
}

// wantState checks contents and position.
func (f *fixture) wantState(index uint64, want map[string]string) {
	f.t.Helper()
	if got := f.Position().Index; got != index {
		f.t.Errorf("position is %d, want %d", got, index)
	}
	if got := f.contents(); !maps.Equal(got, want) {
		f.t.Errorf("at %d the store holds %v, want %v", index, show(got), show(want))
	}
}

func show(m map[string]string) string {
	s := ""
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s += fmt.Sprintf("%s=%s ", k, m[k])
	}
	return s
}

// stream returns the present state as a stream and its description.
func (f *fixture) stream() (*raft.SnapshotMeta, []byte) {
	f.t.Helper()
	meta, rc, err := f.Snapshots().Open(liveID)
	if err != nil {
		f.t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		f.t.Fatal(err)
	}
	if int64(len(b)) != meta.Size {
		f.t.Fatalf("the stream has %d bytes and its description says %d", len(b), meta.Size)
	}
	return meta, b
}

// receive gives a stream to the store as raft would, up to the point where Restore takes it.
func (f *fixture) receive(p Position, stream []byte) (io.ReadCloser, error) {
	f.t.Helper()
	sk, err := f.Snapshots().Create(raft.SnapshotVersionMax, p.Index, p.Term, p.Configuration, p.ConfigurationIndex, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.Copy(sk, bytes.NewReader(stream)); err != nil {
		return nil, cancelled(f.t, sk, err)
	}
	if err := sk.Close(); err != nil {
		return nil, cancelled(f.t, sk, err)
	}
	_, rc, err := f.Snapshots().Open(sk.ID())
	return rc, err
}

func cancelled(t *testing.T, sk raft.SnapshotSink, err error) error {
	if err := sk.Cancel(); err != nil {
		t.Error(err)
	}
	return err
}

// install receives and restores.
func (f *fixture) install(p Position, stream []byte) error {
	f.t.Helper()
	rc, err := f.receive(p, stream)
	if err != nil {
		return err
	}
	defer rc.Close()
	return f.Restore(rc)
}

// names lists the directory of the store.
func (f *fixture) names() []string {
	f.t.Helper()
	names, err := f.fs.List(testDir)
	if err != nil {
		f.t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// await returns the next value, or fails the test.
func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("no %s within 30 s", what)
		panic("unreachable")
	}
}
