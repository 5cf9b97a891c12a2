package store

import (
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/fsm/watchdog"
)

const (
	defaultCacheBytes = 64 << 20
	defaultFlushLimit = 30 * time.Second
)

// Log is the part of raft's log that an install concerns.
type Log interface {
	// Installed is called on raft's FSM goroutine, while raft's main loop waits, when the state at index and term has
	// become the node's state. A reason that is not empty says why raft cannot go on with the log as it is: the node has
	// to start again.
	Installed(index, term uint64) (reason string, err error)
}

// Options of a Store. Fatal is required.
type Options struct {
	// FS is the file system; vfs.Default if nil.
	FS vfs.FS
	// Logger takes the engine's messages; none are written if nil.
	Logger hclog.Logger
	// CacheBytes is the size of the block cache that all generations share; 64 MiB if zero.
	CacheBytes int64
	// Schema is the number of the owner's key schema. A directory or a stream with another one is refused.
	Schema uint32
	// Fatal ends the process. It is called once, from any goroutine, at the first error of the disk or the engine, which
	// otherwise would hang: on a full disk a commit blocks and returns nothing. It does not return outside tests.
	Fatal func(error)
	// FlushLimit is how long a flush or a checkpoint may take before it counts as hanging; 30 s if zero.
	FlushLimit time.Duration
	// Now is the clock for measures; nothing in the state depends on it. No durations are measured if nil.
	Now func() time.Time
	// OnFlush is told of every flush that makes the state durable and how long it took, from any goroutine; nobody if nil.
	OnFlush func(time.Duration)
	// OnInstall is called by Restore, on raft's FSM goroutine, after another state has taken the place of the present
	// one: the owner reads its caches again.
	OnInstall func()
	// Log is told about installs. Without one, no check of the log takes place.
	Log Log
	// Restart starts the process again. It is called by Restore, on raft's FSM goroutine, when the install is complete
	// and safe on disk but raft cannot go on with its log. It may end the process at once; if it returns, Restore answers
	// an error so that raft does not go on from there, and raft has to be shut down.
	Restart func(reason string)

	// step is called after each named step that a crash could separate from the next; tests only.
	step func(name string)
}

// withDefaults returns the options completed, or what is missing.
func (o Options) withDefaults() (Options, error) {
	if o.Fatal == nil {
		return o, errors.New("store options: Fatal is required")
	}
	if o.Log != nil && o.Restart == nil {
		return o, errors.New("store options: Restart is required with Log")
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	o.FS = orderedFS{o.FS}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.FlushLimit == 0 {
		o.FlushLimit = defaultFlushLimit
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	if o.OnFlush == nil {
		o.OnFlush = func(time.Duration) {}
	}
	if o.OnInstall == nil {
		o.OnInstall = func() {}
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	var once sync.Once
	end := o.Fatal
	o.Fatal = func(err error) { once.Do(func() { end(err) }) }
	return o, nil
}

// fail reports a storage error to Fatal and, should that return, gives the error back.
func (o *Options) fail(err error) error {
	o.Logger.Error("storage failure", "error", err)
	o.Fatal(err)
	return err
}

// limited runs f and reports it to Fatal if it fails or takes longer than FlushLimit.
func (o *Options) limited(what string, f func() error) error {
	stop := watchdog.Watch(o.FlushLimit, func() {
		_ = o.fail(&hangError{what, o.FlushLimit}) // f still runs; there is nobody to give the error to
	})
	defer stop()
	if err := f(); err != nil {
		return o.fail(wrap(what, err))
	}
	return nil
}
