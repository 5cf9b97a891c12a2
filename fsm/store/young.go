package store

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// maxYoungBytes is how much the young writes may take in memory before they are passed to the engine. Most messages of a
// queue that keeps up are deleted before.
const maxYoungBytes = 2 << 20

// young is what the latest batches wrote and the engine does not have yet. A message that is sent, received and deleted
// soon is three records that come and go here: the engine never sees them, nor what deletes them. Nothing is safe before
// a flush in any case, so a crash loses no more than it did: the raft log holds the entries until then.
//
// Batches are put here whole, and passed to the engine together with the position that they led to, so the engine holds
// a prefix of the log at any time.
type young struct {
	mu       sync.RWMutex
	writes   layer
	position Position // that the last batch led to
	passed   Position // that the engine holds
}

// get returns what became of a key; false if nothing did.
func (y *young) get(key []byte) (write, bool) {
	y.mu.RLock()
	defer y.mu.RUnlock()
	return y.writes.get(key)
}

// put takes in a batch that led to a position and says whether the writes have become too many.
func (y *young) put(batch *layer, p Position) (full bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.writes.merge(batch)
	y.position = p
	return y.writes.bytes > maxYoungBytes
}

// commit makes a batch of the engine, which was made when nothing was young, the present state at p.
func (y *young) commit(b *pebble.Batch, p Position) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.position = p
	return y.write(b)
}

// pass gives everything to the engine; then does something, if it is not nil, before there are young writes again.
func (y *young) pass(db *pebble.DB, then func()) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.position.Index != y.passed.Index {
		b := db.NewBatchWithSize(y.writes.bytes, pebble.WithMaxRetainedSizeBytes(2*maxYoungBytes))
		if err := y.writes.passTo(b); err != nil {
			return err
		}
		if err := y.write(b); err != nil {
			return err
		}
		if err := b.Close(); err != nil {
			return err
		}
	}
	if then != nil {
		then()
	}
	return nil
}

// write commits a batch of the engine that leads to y.position.
func (y *young) write(b *pebble.Batch) error {
	if err := writePosition(b, y.position, y.passed); err != nil {
		return err
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	y.passed = y.position
	return nil
}
