package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// repHeader is the length of the head of a Pebble batch: a sequence number of this node, and a count.
const repHeader = 12

// Batch collects the writes of the log entries that are applied together and shows them to its own reads. Only raft's
// FSM goroutine uses it, between two calls of Restore. It ends with Commit or Close.
//
// An error of the engine goes to Options.Fatal; should that return, as in a test, the method panics.
type Batch struct {
	s     *Store
	b     *pebble.Batch
	arena []byte // values handed out by Get
}

// NewBatch returns an empty batch on the present state.
func (s *Store) NewBatch() *Batch {
	return &Batch{s: s, b: s.current().db.NewIndexedBatch()}
}

// Get returns the value of key. It stays valid until the batch ends and must not be changed.
func (b *Batch) Get(key []byte) ([]byte, bool) {
	v, closer, err := b.b.Get(key)
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
		b.arena = make([]byte, 0, max(4<<10, len(v)))
	}
	at := len(b.arena)
	b.arena = append(b.arena, v...)
	return b.arena[at:len(b.arena):len(b.arena)]
}

// Set stores a value. Both slices are copied.
func (b *Batch) Set(key, value []byte) { b.s.must("write", b.b.Set(key, value, nil)) }

// Delete removes a key, present or not.
func (b *Batch) Delete(key []byte) { b.s.must("write", b.b.Delete(key, nil)) }

// DeleteRange removes all keys from start to below end.
func (b *Batch) DeleteRange(start, end []byte) { b.s.must("write", b.b.DeleteRange(start, end, nil)) }

// Scan calls f for the keys from lower to below upper in order until f returns false. The slices are valid during the
// call only. The scan shows the batch's writes made before it began, not those made inside f.
func (b *Batch) Scan(lower, upper []byte, f func(key, value []byte) bool) {
	b.s.must("scan", scan(b.b, lower, upper, f))
}

// Repr returns the batch's operations in Pebble's encoding, without the head that differs between nodes: equal
// operations in equal order have equal bytes. It is valid until the next write and holds no position before Commit.
func (b *Batch) Repr() []byte { return b.b.Repr()[repHeader:] }

// Commit makes the batch the present state at p and ends it. It reaches the disk with the next flush; the raft log
// holds the entries until then. p must lie behind the present position.
func (b *Batch) Commit(p Position) {
	last := b.s.Position()
	if p.Index <= last.Index || p.Term < last.Term {
		b.s.must("commit", fmt.Errorf("entry %d of term %d does not follow %d of term %d", p.Index, p.Term, last.Index, last.Term))
	}
	b.s.must("commit", writePosition(b.b, p, last))
	b.s.must("commit", b.b.Commit(pebble.NoSync))
	b.s.position.Store(&p)
	b.Close()
}

// Close drops a batch that was not committed.
func (b *Batch) Close() {
	b.s.must("close batch", b.b.Close())
	b.arena = nil
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
