package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Kind names a backend, in the words of the flag --log-store.
type Kind string

// The backends.
const (
	Bolt Kind = "bolt"
	WAL  Kind = "wal"
)

const (
	defaultCallLimit = 5 * time.Second
	// boltSlice is how many entries one deletion at the head of a bolt log removes: 15 ms at 350 bytes per entry.
	boltSlice = 2_000
)

// Store is raft's log and stable store.
type Store interface {
	raft.LogStore
	raft.StableStore
	raft.MonotonicLogStore
	io.Closer

	// Installed has to be called when a state at index and term has been installed, before raft touches the log. A
	// reason that is not empty says why raft cannot go on with this log: the node has to start again.
	Installed(index, term uint64) (reason string, err error)

	// AppendedBytes counts the data of the entries appended since Open.
	AppendedBytes() uint64
}

// backend is what a Store wraps.
type backend interface {
	raft.LogStore
	raft.StableStore
	io.Closer
}

// Options of Open. Fatal is required.
type Options struct {
	// Logger takes the backend's messages; none are written if nil.
	Logger hclog.Logger
	// Fatal ends the process; it does not return outside tests. It is called once, from any goroutine.
	Fatal func(error)
	// CallLimit is how long a call may take before it counts as hanging; 5 s if zero.
	CallLimit time.Duration
	// SegmentBytes is the size of a segment of the wal backend; its default, 64 MiB, if zero.
	SegmentBytes int
	// Observe is told of every call that writes: its name (store_logs, delete_range, set), how long it took, and how
	// many entries and bytes of data it carried. Nobody is told if nil.
	Observe func(call string, d time.Duration, entries, bytes int)
}

func (o Options) withDefaults() (Options, error) {
	if o.Fatal == nil {
		return o, errors.New("log store options: Fatal is required")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.CallLimit == 0 {
		o.CallLimit = defaultCallLimit
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration, int, int) {}
	}
	return o, nil
}

// Open opens the log in dir, which it creates if need be. It refuses a directory that holds the other backend's files
// or that another process has open.
func Open(dir string, kind Kind, o Options) (Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create log directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	var b backend
	var slice slicer
	err = caught(func() (err error) {
		b, slice, err = openBackend(dir, kind, o)
		return err
	})
	if err == nil {
		err = errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log store in %s: %w", dir, err), lock.Close())
	}
	g := newGuard(b, lock, slice, o)
	if err := caught(func() error { return g.stable.load(b) }); err != nil {
		return nil, errors.Join(fmt.Errorf("open log store in %s: %w", dir, err), g.Close())
	}
	return g, nil
}

// openBackend returns the backend and how a head of its log is deleted.
func openBackend(dir string, kind Kind, o Options) (backend, slicer, error) {
	present, err := detect(dir)
	if err != nil {
		return nil, nil, err
	}
	if present != "" && present != kind {
		return nil, nil, refusal{fmt.Errorf("the directory holds a log of the %s backend: start with --log-store %s, or with an empty "+
			"directory", present, present)}
	}
	switch kind {
	case Bolt:
		b, err := openBolt(dir)
		return b, entrySlices(boltSlice), damaged(err)
	case WAL:
		b, err := openWAL(dir, o)
		return b, segmentSlices(dir), damaged(err)
	}
	return nil, nil, refusal{fmt.Errorf("no backend %q: --log-store is %s or %s", kind, Bolt, WAL)}
}

// refusal is an error about a directory with which nothing is wrong: another process uses it, or another backend made it.
type refusal struct{ error }

// Refused tells it from the errors of a disk, also across packages.
func (refusal) Refused() bool { return true }

func (r refusal) Unwrap() error { return r.error }

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
