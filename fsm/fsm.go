package fsm

import (
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// schema is the number of the key schema in store/schema.go and of the records in fsmpb. A store with another one is
// refused.
const schema = 2

// defaultReadyWindow is how many ready messages of a busy queue are known ahead.
const defaultReadyWindow = 512

// Options configure an FSM.
type Options struct {
	FS          vfs.FS         // the file system of the store; nil: the machine's
	Logger      hclog.Logger   // nil: none
	Fatal       func(error)    // ends the process; called for every storage error and every entry that can't be applied
	OnCommit    func([]string) // called after each batch with the queues that it left with something ready, or deleted; must not block
	Restart     func(string)   // passed on to the store: see store.Options
	Log         store.Log      // passed on to the store: see store.Options
	ReadyWindow int            // messages known ahead per queue; 0: 512. Never changes a result

	Clock   func() time.Time    // for measures of the store, never for the state; nil: none are taken
	OnFlush func(time.Duration) // passed on to the store: see store.Options
}

// FSM is the state machine that raft drives. Its results are []*fsmpb.Result, one for each command of an entry.
type FSM struct {
	store   *store.Store
	options Options
	state   *state // owned by raft's FSM goroutine

	// What ApplyBatch publishes after each commit, for any goroutine.
	ready   atomic.Pointer[sync.Map] // queue name -> *atomic.Int64; an install replaces the map
	applied atomic.Uint64            // index of the last entry whose results were committed
	now     atomic.Int64
	nextDue atomic.Int64
	hashes  hashes
	keys    atomic.Pointer[fsmpb.Keys]

	started, finished atomic.Uint64 // calls of ApplyBatch

	views  sync.RWMutex // held for reading by each open View
	closed bool         // under views
}

// Open opens the state machine in a directory, as it was after the last flush. raft applies the rest from its log.
func Open(dir string, o Options) (*FSM, error) {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.ReadyWindow == 0 {
		o.ReadyWindow = defaultReadyWindow
	}
	f := &FSM{options: o}
	s, err := store.Open(dir, store.Options{
		Schema: schema, FS: o.FS, Logger: o.Logger, Fatal: o.Fatal, OnInstall: f.reload, Restart: o.Restart, Log: o.Log,
		Now: o.Clock, OnFlush: o.OnFlush,
	})
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	f.store = s
	if err := f.load(); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	return f, nil
}

// Close waits for open views, flushes and closes the store. raft must have been shut down before.
func (f *FSM) Close() error {
	f.views.Lock()
	defer f.views.Unlock()
	f.closed = true
	return f.store.Close()
}

// load fills the caches from the store.
func (f *FSM) load() error {
	r := f.store.NewReader()
	defer r.Close()
	s, err := load(r, f.options.ReadyWindow)
	if err != nil {
		return err
	}
	s.corrupt = f.fatal
	s.batch = f.store.NewBatch()
	f.state = s
	f.hashes.reset(f.store.Position().Index)
	f.keys.Store(nil)
	names := &sync.Map{}
	for name, q := range s.queues {
		q.published.Store(int64(q.rec.Ready))
		names.Store(name, q.published)
	}
	f.ready.Store(names)
	f.publish(f.store.Position().Index)
	return nil
}

// reload follows an install, on raft's FSM goroutine.
func (f *FSM) reload() {
	if err := f.load(); err != nil {
		f.fatal(fmt.Errorf("read installed state: %w", err))
	}
}

// fatal ends the process. The panic is for tests whose Fatal returns: nothing may be applied after it.
func (f *FSM) fatal(err error) {
	f.options.Fatal(err)
	panic(err)
}

// Apply applies one log entry.
func (f *FSM) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies the entries that raft hands over as one atomic batch of the store. Entries that the store already
// holds, after a restart, are skipped; their results are nil.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	f.started.Add(1)
	defer f.finished.Add(1)
	results := make([]any, len(logs))
	position := f.store.Position()
	if logs[len(logs)-1].Index <= position.Index {
		return results
	}
	s := f.state
	s.batch = f.store.NewBatch()
	for i, l := range logs {
		if l.Index <= position.Index {
			continue
		}
		switch l.Type {
		case raft.LogCommand:
			f.hashes.before(l.Index, s.hash)
			results[i] = s.applyEntry(l.Index, l.Data)
		case raft.LogConfiguration:
			position.Configuration = raft.DecodeConfiguration(l.Data)
			position.ConfigurationIndex = l.Index
		}
		position.Index, position.Term = l.Index, l.Term
	}
	touched := append([]*queue(nil), s.dirty...)
	s.flush()
	s.batch.Commit(position)
	f.publishQueues(touched)
	f.publish(position.Index)
	return results
}

// publishQueues tells the rest of the process what the batch left ready.
func (f *FSM) publishQueues(touched []*queue) {
	names := f.ready.Load()
	var woken []string
	for _, q := range touched {
		name := q.rec.Name
		if f.state.byID[q.rec.Id] != q {
			if f.state.queues[name] == nil {
				names.Delete(name)
				woken = append(woken, name)
			}
			continue
		}
		q.published.Store(int64(q.rec.Ready))
		names.Store(name, q.published)
		if q.rec.Ready > 0 {
			woken = append(woken, name)
		}
	}
	if len(woken) > 0 && f.options.OnCommit != nil {
		f.options.OnCommit(woken)
	}
}

// publish must come after publishQueues: who has seen an applied index sees at least its queues.
func (f *FSM) publish(applied uint64) {
	next := int64(math.MaxInt64)
	if d, ok := f.state.firstDue(); ok {
		next = d.At
	}
	if f.keys.Load() == nil && f.state.cluster != nil {
		f.loadKeys()
	}
	f.nextDue.Store(next)
	f.now.Store(f.state.now)
	f.hashes.stand(applied, f.state.hash)
	f.applied.Store(applied)
}

func (f *FSM) loadKeys() {
	v := f.View()
	defer v.Close()
	f.keys.Store(v.Keys())
}

// Keys returns the keys that sign tokens and receipts, or nil before the first command was applied. They are shared: do
// not change them.
func (f *FSM) Keys() *fsmpb.Keys { return f.keys.Load() }

// Applied is the index of the last entry that is applied and committed to the store.
func (f *FSM) Applied() uint64 { return f.applied.Load() }

// Position is what the store holds: the last applied entry and raft configuration.
func (f *FSM) Position() store.Position { return f.store.Position() }

// Now is the state's clock in milliseconds: the greatest time that an applied entry carried.
func (f *FSM) Now() int64 { return f.now.Load() }

// NextDue is the time in milliseconds at which something is to be done (a lease ends, a delay is over): a tick is needed
// then. A time that is not after Now means that advance left work over.
func (f *FSM) NextDue() int64 { return f.nextDue.Load() }

// Progress counts the batches whose application has begun and has ended, so that a watchdog can see one that hangs.
func (f *FSM) Progress() (started, finished uint64) {
	finished = f.finished.Load()
	return f.started.Load(), finished
}

// ReadyMessages is the number of ready messages of a queue after the last committed batch; false: there is no such queue.
func (f *FSM) ReadyMessages(queue string) (int64, bool) {
	n, ok := f.ready.Load().Load(queue)
	if !ok {
		return 0, false
	}
	return n.(*atomic.Int64).Load(), true
}

// Snapshot implements raft.FSM: the live store is the snapshot.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) { return f.store.Snapshot() }

// Restore implements raft.FSM.
func (f *FSM) Restore(r io.ReadCloser) error { return f.store.Restore(r) }

// Snapshots is the snapshot store to give to raft.
func (f *FSM) Snapshots() raft.SnapshotStore { return f.store.Snapshots() }

// Store is the store below, for its counters.
func (f *FSM) Store() *store.Store { return f.store }

var _ raft.BatchingFSM = (*FSM)(nil)
