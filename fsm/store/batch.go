package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Batch collects the writes of the log entries that are applied together and shows them to its own reads. Only raft's
// FSM goroutine uses it, between two calls of Restore. It ends with Commit or Close.
//
// Writes wait in a map and reach the engine in the order of their keys: its memory table finds the place of a key that
// follows the last one at once. Scans need an index, and get one; an ordinary batch has no scan.
//
// An error of the engine goes to Options.Fatal; should that return, as in a test, the method panics.
type Batch struct {
	s      *Store
	db     *pebble.DB
	writes map[string]write // younger than what engine holds
	keys   []string         // of writes, in any order
	engine *pebble.Batch    // nil until something needs it
	arena  []byte           // values handed out by Get, and those of writes
}

// maxKept is how many writes the map and the list keep room for between two batches.
const maxKept = 4096

// write is what became of a key: a value, or nothing.
type write struct {
	value   []byte
	deleted bool
}

// NewBatch returns the store's one batch, which is empty, on the present state. The one before must have ended.
func (s *Store) NewBatch() *Batch {
	s.batch.s, s.batch.db = s, s.current().db
	return s.batch
}

// Get returns the value of key. It stays valid until the batch ends and must not be changed.
func (b *Batch) Get(key []byte) ([]byte, bool) {
	if w, ok := b.writes[string(key)]; ok {
		return w.value, !w.deleted
	}
	var r pebble.Reader = b.db
	if b.engine != nil {
		r = b.engine
	}
	v, closer, err := r.Get(key)
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

// Set stores a value. Both slices are copied.
func (b *Batch) Set(key, value []byte) { b.write(key, write{value: b.keep(value)}) }

// Delete removes a key, present or not.
func (b *Batch) Delete(key []byte) { b.write(key, write{deleted: true}) }

func (b *Batch) write(key []byte, w write) {
	if _, ok := b.writes[string(key)]; ok {
		b.writes[string(key)] = w
		return
	}
	k := string(key)
	b.writes[k] = w
	b.keys = append(b.keys, k)
}

// DeleteRange removes all keys from start to below end.
func (b *Batch) DeleteRange(start, end []byte) {
	b.s.must("write", b.indexed().DeleteRange(start, end, nil))
}

// Scan calls f for the keys from lower to below upper in order until f returns false. The slices are valid during the
// call only. The scan shows the batch's writes made before it began, not those made inside f.
func (b *Batch) Scan(lower, upper []byte, f func(key, value []byte) bool) {
	b.s.must("scan", scan(b.indexed(), lower, upper, f))
}

// indexed moves the writes so far to a batch of the engine that can be scanned.
func (b *Batch) indexed() *pebble.Batch {
	if b.engine == nil {
		b.engine = b.db.NewIndexedBatch()
	}
	b.pass()
	return b.engine
}

// pass gives the engine what was written since the last time, in the order of the keys.
func (b *Batch) pass() {
	slices.Sort(b.keys)
	for _, k := range b.keys {
		var op *pebble.DeferredBatchOp
		if w := b.writes[k]; w.deleted {
			op = b.engine.DeleteDeferred(len(k))
		} else {
			op = b.engine.SetDeferred(len(k), len(w.value))
			copy(op.Value, w.value)
		}
		copy(op.Key, k)
		b.s.must("write", op.Finish())
	}
	if len(b.keys) > maxKept { // to clear a map costs what it once held
		b.writes, b.keys = map[string]write{}, nil
		return
	}
	clear(b.writes)
	b.keys = b.keys[:0]
}

// Commit makes the batch the present state at p and ends it. It reaches the disk with the next flush; the raft log
// holds the entries until then. p must lie behind the present position.
func (b *Batch) Commit(p Position) {
	last := b.s.Position()
	if p.Index <= last.Index || p.Term < last.Term {
		b.s.must("commit", fmt.Errorf("entry %d of term %d does not follow %d of term %d", p.Index, p.Term, last.Index, last.Term))
	}
	if b.engine == nil {
		b.engine = b.db.NewBatch()
	}
	b.pass()
	b.s.must("commit", writePosition(b.engine, p, last))
	b.s.must("commit", b.engine.Commit(pebble.NoSync))
	b.s.position.Store(&p)
	b.Close()
}

// Close drops a batch that was not committed.
func (b *Batch) Close() {
	if b.engine != nil {
		b.s.must("close batch", b.engine.Close())
	}
	clear(b.writes)
	b.keys, b.engine, b.arena = b.keys[:0], nil, nil
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
