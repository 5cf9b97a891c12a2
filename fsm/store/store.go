package store

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Store is the state on disk. Raft's FSM goroutine alone writes it (NewBatch, Restore); everything else may be called
// from any goroutine.
type Store struct {
	o     Options
	dir   string
	lock  io.Closer
	cache *pebble.Cache

	position  atomic.Pointer[Position]
	installed atomic.Pointer[Mark]
	counts    counts
	nextTemp  atomic.Uint64 // number of the next temporary directory
	batch     *Batch        // the only one, used again and again

	mu       sync.Mutex
	gen      *generation         // what readers get next
	installs map[string]*install // received streams between Create and the end of Restore
	closed   bool
}

// Open opens the state in dir, which it creates if need be. It removes its own unfinished work and replaced states, and
// nothing else. It refuses a directory that another process has open or another version has written.
func Open(dir string, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, dir: dir, installs: map[string]*install{}, batch: &Batch{writes: newLayer(batchWrites)}}
	if err := s.o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, wrap("create state directory", err)
	}
	if err := syncDir(s.o.FS, s.o.FS.PathDir(dir)); err != nil {
		return nil, wrap("sync directory above the state", err)
	}
	if s.lock, err = s.o.FS.Lock(s.o.FS.PathJoin(dir, lockName)); err != nil {
		return nil, refusal{fmt.Errorf("state directory %s is in use by another process: stop that one first, or choose another "+
			"directory: %w", dir, err)}
	}
	s.cache = pebble.NewCache(o.CacheBytes)
	if err := s.start(); err != nil {
		s.cache.Unref()
		return nil, errors.Join(fmt.Errorf("open state in %s: %w", dir, err), s.lock.Close())
	}
	return s, nil
}

// start opens the newest generation, makes the first one in an empty directory, and tidies up.
func (s *Store) start() error {
	found, err := listLayout(s.o.FS, s.dir)
	if err != nil {
		return err
	}
	for _, name := range found.temporary {
		if err := s.o.FS.RemoveAll(s.path(name)); err != nil {
			return wrap("remove unfinished work", err)
		}
	}
	if len(found.generations) == 0 {
		if err := s.create(); err != nil {
			return wrap("create empty state", err)
		}
		found.generations = []uint64{1}
	}
	newest := len(found.generations) - 1
	if err := s.openGeneration(found.generations[newest]); err != nil {
		return err
	}
	for _, n := range found.generations[:newest] {
		if err := s.o.FS.RemoveAll(s.path(generationName(n))); err != nil {
			return errors.Join(wrap("remove replaced state", err), s.gen.db.Close())
		}
	}
	return nil
}

// create makes generation 1, complete on disk before it has its name.
func (s *Store) create() error {
	temp := s.tempDir("new")
	if err := createEngine(&s.o, s.cache, temp); err != nil {
		return err
	}
	return s.promote(temp, 1)
}

// promote gives a complete directory its name as generation n.
func (s *Store) promote(temp string, n uint64) error {
	if err := syncDir(s.o.FS, temp); err != nil {
		return err
	}
	if err := s.o.FS.Rename(temp, s.path(generationName(n))); err != nil {
		return err
	}
	s.o.step("rename")
	if err := syncDir(s.o.FS, s.dir); err != nil {
		return err
	}
	s.o.step("parent sync")
	return nil
}

// openGeneration opens generation n and makes it the present one.
func (s *Store) openGeneration(n uint64) error {
	dir := s.path(generationName(n))
	db, err := openEngine(&s.o, s.cache, dir, false)
	if err != nil {
		return fmt.Errorf("generation %d: %w", n, err)
	}
	position, err := readPosition(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	installed, err := readMark(db, installedKey)
	if err != nil {
		return errors.Join(wrap("read install mark", err), db.Close())
	}
	s.mu.Lock()
	s.gen = newGeneration(&s.o, db, dir, n, position)
	s.mu.Unlock()
	s.position.Store(&position)
	s.installed.Store(&installed)
	return nil
}

// Close flushes, waits for the readers and closes the store. Raft must be shut down before.
func (s *Store) Close() error {
	s.mu.Lock()
	closed, gen := s.closed, s.gen
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	err := s.flush(gen)
	gen.release()
	<-gen.closed
	s.cache.Unref()
	return errors.Join(err, s.lock.Close())
}

// Position returns the prefix of the log that the store holds, as of the last Commit or Restore.
func (s *Store) Position() Position { return *s.position.Load() }

// Installed returns the place of the last state that Restore put in; zero if none. While it equals the Position, the
// raft log may end before it.
func (s *Store) Installed() Mark { return *s.installed.Load() }

// current returns the present generation; for raft's FSM goroutine, which alone replaces it.
func (s *Store) current() *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen
}

// acquire returns the present generation with a reference for the caller.
func (s *Store) acquire() *generation {
	g, ok := s.tryAcquire()
	if !ok {
		panic("store: used after Close")
	}
	return g
}

// tryAcquire is acquire that says no after Close.
func (s *Store) tryAcquire() (*generation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.gen.acquire() {
		return nil, false
	}
	return s.gen, true
}

// flush makes everything applied so far durable.
func (s *Store) flush(g *generation) error {
	start := s.o.Now()
	err := s.o.limited("flush of the state", func() error {
		if err := g.young.pass(g.db, nil); err != nil {
			return err
		}
		return g.db.Flush()
	})
	if err != nil {
		return err
	}
	took := s.o.Now().Sub(start)
	s.counts.flushed(took)
	s.o.OnFlush(took)
	return nil
}

// must ends the process if err is not nil.
func (s *Store) must(what string, err error) {
	if err != nil {
		panic(s.o.fail(wrap(what, err)))
	}
}
