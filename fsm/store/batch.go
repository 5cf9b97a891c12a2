package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Batch collects the writes of the log entries that are applied together and shows them to its own reads. Only raft's
// FSM goroutine uses it, between two calls of Restore. It ends with Commit or Close.
//
// Writes wait in a layer over those of the batches before, which are young for a while. Ranges need an index of the
// engine, and get one; an ordinary batch has no range.
//
// An error of the engine goes to Options.Fatal; should that return, as in a test, the method panics.
type Batch struct {
	s      *Store
	g      *generation
	writes layer         // younger than what engine holds
	engine *pebble.Batch // over g's database, without anything young between; nil until something needs it
	arena  []byte        // values handed out by Get
}

// batchWrites is for how many writes a batch keeps room.
const batchWrites = 4096

// NewBatch returns the store's one batch, which is empty, on the present state. The one before must have ended.
func (s *Store) NewBatch() *Batch {
	s.batch.s, s.batch.g = s, s.current()
	return s.batch
}

// Get returns the value of key. It stays valid until the batch ends and must not be changed.
func (b *Batch) Get(key []byte) ([]byte, bool) {
	if w, ok := b.writes.get(key); ok {
		return w.value, !w.deleted
	}
	if b.engine != nil {
		return b.read(b.engine, key)
	}
	if w, ok := b.g.young.get(key); ok {
		return w.value, !w.deleted
	}
	return b.read(b.g.db, key)
}

func (b *Batch) read(r pebble.Reader, key []byte) ([]byte, bool) {
	v, closer, err := r.Get(bytes.Clone(key)) // so that the compiler sees that nothing holds on to callers' keys: they stay on the stack
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false
	}
	b.s.must("read", err)
	v = b.keep(v)
	b.s.must("read", closer.Close())
	return v, true
}

// keep copies v into the batch's memory. A chunk that is full is left to those who hold parts of it.
func (b *Batch) keep(v []byte) []byte {
	if cap(b.arena)-len(b.arena) < len(v) {
		b.arena = make([]byte, 0, max(8<<10, len(v)))
	}
	at := len(b.arena)
	b.arena = append(b.arena, v...)
	return b.arena[at:len(b.arena):len(b.arena)]
}

// Set stores a value, which is the store's from now on: do not change it. The key is copied.
func (b *Batch) Set(key, value []byte) { b.writes.put(key, write{value: value}) }

// Add is Set for a key that the state does not have. The promise saves the engine all knowledge of what is deleted again
// soon; a false one would leave the key behind when it is deleted.
func (b *Batch) Add(key, value []byte) { b.writes.put(key, write{value: value, added: true}) }

// Delete removes a key, present or not.
func (b *Batch) Delete(key []byte) { b.writes.put(key, write{deleted: true}) }

// DeleteRange removes all keys from start to below end.
func (b *Batch) DeleteRange(start, end []byte) {
	b.s.must("write", b.indexed().DeleteRange(start, end, nil))
}

// Scan calls f for the keys from lower to below upper in order until f returns false. The slices are valid during the
// call only. The scan shows the batch's writes made before it began, not those made inside f.
func (b *Batch) Scan(lower, upper []byte, f func(key, value []byte) bool) {
	if b.engine == nil && len(b.writes.places) == 0 { // also between two batches
		b.s.must("write", b.g.young.pass(b.g.db, nil))
		b.s.must("scan", scan(b.g.db, lower, upper, f))
		return
	}
	b.s.must("scan", scan(b.indexed(), lower, upper, f))
}

// indexed moves the writes so far to a batch of the engine that knows ranges.
func (b *Batch) indexed() *pebble.Batch {
	if b.engine == nil {
		b.s.must("write", b.g.young.pass(b.g.db, nil))
		b.engine = b.g.db.NewIndexedBatch()
	}
	b.s.must("write", b.writes.passTo(b.engine))
	return b.engine
}

// Commit makes the batch the present state at p and ends it. It reaches the disk with the next flush; the raft log
// holds the entries until then. p must lie behind the present position.
func (b *Batch) Commit(p Position) {
	last := b.s.Position()
	if p.Index <= last.Index || p.Term < last.Term {
		b.s.must("commit", fmt.Errorf("entry %d of term %d does not follow %d of term %d", p.Index, p.Term, last.Index, last.Term))
	}
	if b.engine != nil {
		b.s.must("commit", b.g.young.commit(b.indexed(), p))
	} else if b.g.young.put(&b.writes, p) {
		b.s.must("commit", b.g.young.pass(b.g.db, nil))
	}
	b.s.position.Store(&p)
	b.Close()
}

// Close drops a batch that was not committed.
func (b *Batch) Close() {
	if b.engine != nil {
		b.s.must("close batch", b.engine.Close())
	}
	b.writes.empty()
	b.engine, b.arena = nil, nil
}

// scan walks the keys of r from lower to below upper.
func scan(r pebble.Reader, lower, upper []byte, f func(key, value []byte) bool) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if !f(it.Key(), value) {
			break
		}
	}
	return errors.Join(it.Error(), it.Close())
}
