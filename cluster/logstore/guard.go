package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm/watchdog"
)

// guard is the Store around a backend. Raft's main loop appends and cuts the tail, its snapshot goroutine cuts the
// head, its FSM goroutine calls Installed while the main loop waits; anyone reads.
type guard struct {
	backend
	lock   io.Closer
	o      Options
	slice  slicer // of a head that is deleted; nil: it goes at once
	recent *recent
	reads  sync.RWMutex // held by a read from disk, and alone by a deletion: raft-wal closes a tail's file under its readers
	stable record
	fatal  sync.Once

	closed    atomic.Bool
	appended  atomic.Uint64
	installed atomic.Pointer[install]
}

// install is the last installed state of this process's life.
type install struct {
	index, term uint64
	agrees      bool // the log holds that entry, so that what follows it is right
}

func newGuard(b backend, lock io.Closer, slice slicer, o Options) *guard {
	g := &guard{backend: b, lock: lock, slice: slice, o: o, recent: newRecent(recentEntries, recentBytes)}
	g.installed.Store(&install{})
	return g
}

// errNotFound is how raft knows that a stable value was never set; it compares the text.
var errNotFound = errors.New("not found")

// call runs f under the watch. An error other than an absent entry or value, or a call without end, ends the process.
func (g *guard) call(name string, f func() error) error {
	stop := watchdog.Watch(g.o.CallLimit, func() {
		g.end(fmt.Errorf("log store: %s has not finished within %s: is the disk hanging?", name, g.o.CallLimit))
	})
	err := caught(f)
	stop()
	if err == nil || errors.Is(err, raft.ErrLogNotFound) || err.Error() == errNotFound.Error() {
		return err
	}
	return g.end(fmt.Errorf("log store: %s: %w", name, err))
}

// end reports err to Fatal once, unless the store was closed, and gives it back.
func (g *guard) end(err error) error {
	if g.closed.Load() {
		return err
	}
	g.fatal.Do(func() {
		g.o.Logger.Error("log store failure", "error", err)
		g.o.Fatal(err)
	})
	return err
}

// write is call for what Observe is told of.
func (g *guard) write(name string, entries, bytes int, f func() error) error {
	start := time.Now()
	err := g.call(name, f)
	g.o.Observe(name, time.Since(start), entries, bytes)
	return err
}

// IsMonotonic tells raft, after an install, whether to clear the log. It says no while the log agrees with the
// installed state: only the head may go then.
func (g *guard) IsMonotonic() bool {
	m, ok := g.backend.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic() && !g.installed.Load().agrees
}

// AppendedBytes implements Store.
func (g *guard) AppendedBytes() uint64 { return g.appended.Load() }

// FirstIndex implements raft.LogStore.
func (g *guard) FirstIndex() (index uint64, err error) {
	err = g.call("first_index", func() error { index, err = g.backend.FirstIndex(); return err })
	return index, err
}

// LastIndex implements raft.LogStore.
func (g *guard) LastIndex() (index uint64, err error) {
	err = g.call("last_index", func() error { index, err = g.backend.LastIndex(); return err })
	return index, err
}

// GetLog implements raft.LogStore.
func (g *guard) GetLog(index uint64, log *raft.Log) error {
	if g.recent.get(index, log) {
		return nil
	}
	return g.read(index, log)
}

// read reads an entry from disk.
func (g *guard) read(index uint64, log *raft.Log) error {
	g.reads.RLock()
	defer g.reads.RUnlock()
	*log = raft.Log{} // bolt would decode into the memory that it holds, which may be that of a recent entry
	return g.call("get_log", func() error {
		err := g.backend.GetLog(index, log)
		if errors.Is(err, raft.ErrLogNotFound) || g.closed.Load() {
			return err
		}
		if err != nil {
			return damaged(fmt.Errorf("entry %d: %w", index, err)) // it does not decode
		}
		return unseal(index, log)
	})
}

// StoreLog implements raft.LogStore.
func (g *guard) StoreLog(log *raft.Log) error { return g.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore. Entries have to follow the last one, except directly behind an installed state:
// then all older entries go first.
func (g *guard) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	if err := g.makeRoom(logs); err != nil {
		return err
	}
	bytes := 0
	for _, l := range logs {
		bytes += entryBytes(l)
	}
	all := sealed(logs)
	err := g.write("store_logs", len(logs), bytes, func() error { return g.backend.StoreLogs(all) })
	if err == nil {
		g.recent.add(all)
		g.appended.Add(uint64(bytes))
	}
	return err
}

// makeRoom checks that logs follow the log, and removes what an installed state has made useless.
func (g *guard) makeRoom(logs []*raft.Log) error {
	for i, l := range logs {
		if l.Index != logs[0].Index+uint64(i) {
			return g.end(fmt.Errorf("log store: raft appends entry %d as number %d after %d", l.Index, i, logs[0].Index))
		}
	}
	last, err := g.LastIndex()
	next := logs[0].Index
	if err != nil || last == 0 || next == last+1 {
		return err
	}
	if next <= last || next != g.installed.Load().index+1 {
		return g.end(fmt.Errorf("log store: raft appends entry %d after %d", next, last))
	}
	first, err := g.FirstIndex()
	if err != nil {
		return err
	}
	return g.deleteRange(first, last)
}

// DeleteRange implements raft.LogStore. A head goes in slices, lowest entries first, so that a crash leaves a suffix;
// a tail goes at once, so that none is left with a hole.
func (g *guard) DeleteRange(from, to uint64) error {
	if g.slice == nil || from > to {
		return g.deleteRange(from, to)
	}
	last, err := g.LastIndex()
	if err != nil {
		return err
	}
	for to < last {
		end, err := g.slice(from, to)
		if err != nil {
			return g.end(fmt.Errorf("log store: delete_range: %w", err))
		}
		if err := g.deleteRange(from, end); err != nil || end == to {
			return err
		}
		from = end + 1
	}
	return g.deleteRange(from, to)
}

func (g *guard) deleteRange(from, to uint64) error {
	g.recent.forget(to)
	g.reads.Lock()
	defer g.reads.Unlock()
	return g.write("delete_range", 0, 0, func() error { return g.backend.DeleteRange(from, to) })
}

// Set implements raft.StableStore.
func (g *guard) Set(key, val []byte) error {
	return g.stable.set(key, slices.Clone(val), func(raw []byte) error {
		return g.write("set", 0, len(val), func() error { return g.backend.Set([]byte(recordKey), raw) })
	})
}

// Get implements raft.StableStore.
func (g *guard) Get(key []byte) ([]byte, error) { return g.stable.get(key) }

// SetUint64 implements raft.StableStore.
func (g *guard) SetUint64(key []byte, val uint64) error {
	return g.Set(key, binary.BigEndian.AppendUint64(nil, val))
}

// GetUint64 implements raft.StableStore.
func (g *guard) GetUint64(key []byte) (uint64, error) {
	val, err := g.stable.get(key)
	if err != nil {
		return 0, err
	}
	if len(val) != 8 {
		return 0, fmt.Errorf("log store: %q has %d bytes and is no number", key, len(val))
	}
	return binary.BigEndian.Uint64(val), nil
}

// Close closes the backend and gives the directory back. Raft must be shut down before.
func (g *guard) Close() error {
	if g.closed.Swap(true) {
		return nil
	}
	g.recent.forget(math.MaxUint64)
	return errors.Join(g.backend.Close(), g.lock.Close())
}

var _ Store = (*guard)(nil)
