package store

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Reader shows the state as it was when the reader was made. Any goroutine may use it, one at a time. It must be
// closed: it keeps old data on disk, and after an install the whole old state.
//
// To read what an index promised, wait for the index first and take the reader then, never the other way round.
type Reader struct {
	s  *Store
	g  *generation
	sn *pebble.Snapshot
}

// NewReader returns a reader of the present state. It panics if the store is closed.
func (s *Store) NewReader() *Reader {
	r := &Reader{s: s, g: s.acquire()}
	s.must("write", r.g.young.pass(r.g.db, func() { r.sn = r.g.db.NewSnapshot() }))
	return r
}

// Get returns the value of key in the present state, from any goroutine. Unlike a Reader it costs the engine nothing
// while the key is young. The value must not be changed. It panics if the store is closed.
func (s *Store) Get(key []byte) ([]byte, bool) {
	g := s.acquire()
	defer g.release()
	if w, ok := g.young.get(key); ok {
		return w.value, !w.deleted
	}
	v, err := get(g.db, string(key)) // what was passed to the engine meanwhile is there
	s.must("read", err)
	return v, v != nil
}

// Get returns a copy of the value of key.
func (r *Reader) Get(key []byte) ([]byte, bool) {
	v, closer, err := r.sn.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false
	}
	r.s.must("read", err)
	v = append([]byte{}, v...)
	r.s.must("read", closer.Close())
	return v, true
}

// Scan calls f for the keys from lower to below upper in order until f returns false. The slices are valid during the
// call only.
func (r *Reader) Scan(lower, upper []byte, f func(key, value []byte) bool) {
	r.s.must("scan", scan(r.sn, lower, upper, f))
}

// Position returns the place in the log that the reader shows.
func (r *Reader) Position() Position {
	p, err := readPosition(r.sn)
	r.s.must("read", err)
	return p
}

// Close gives the reader back.
func (r *Reader) Close() {
	r.s.must("close reader", r.sn.Close())
	r.g.release()
}
