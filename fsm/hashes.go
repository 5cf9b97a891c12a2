package fsm

import "sync"

// Replicas compare a running hash at the multiples of hashEvery, of which each keeps the last hashKept.
const (
	hashEvery = 1_000
	hashKept  = 64
)

// Hash is the running hash over all entries before an index.
type Hash struct{ Index, Hash uint64 }

// hashes keeps the hashes at the last multiples. ApplyBatch writes, any goroutine reads.
type hashes struct {
	mu     sync.Mutex
	last   uint64 // number of the last multiple that was passed
	kept   []Hash
	newest Hash // behind the last entry that is applied and committed
}

// reset follows a start or an install, which leave the state behind an entry.
func (h *hashes) reset(applied uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.kept = applied/hashEvery, nil
}

// before notes the hash that the state had before it applied the entry at index.
func (h *hashes) before(index, hash uint64) {
	n := index / hashEvery
	if n == h.last { // only the FSM goroutine writes last
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, Hash{Index: n * hashEvery, Hash: hash})
	if len(h.kept) > hashKept {
		h.kept = h.kept[1:]
	}
	h.last = n
}

// stand notes the hash behind the last entry that is applied.
func (h *hashes) stand(applied, hash uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newest = Hash{Index: applied + 1, Hash: hash}
}

// NewestHash is the running hash over all entries that are applied and committed; its index is the next one.
func (f *FSM) NewestHash() Hash {
	f.hashes.mu.Lock()
	defer f.hashes.mu.Unlock()
	return f.hashes.newest
}

// Hashes are the running hashes at the last multiples of 1,000, oldest first.
func (f *FSM) Hashes() []Hash {
	f.hashes.mu.Lock()
	defer f.hashes.mu.Unlock()
	return append([]Hash(nil), f.hashes.kept...)
}
