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
	mu   sync.Mutex
	last uint64 // number of the last multiple that was passed; 0: none since the start
	kept []Hash
}

func (h *hashes) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.kept = 0, nil
}

// before notes the hash that the state had before it applied the entry at index. The first entry after a start or an
// install only tells where this replica stands: what came between it and the multiple before may be unknown.
func (h *hashes) before(index, hash uint64) {
	n := index / hashEvery
	if n == h.last { // only the FSM goroutine writes last
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != 0 {
		h.kept = append(h.kept, Hash{Index: n * hashEvery, Hash: hash})
	}
	if len(h.kept) > hashKept {
		h.kept = h.kept[1:]
	}
	h.last = n
}

// Hashes are the running hashes at the last multiples of 1,000, oldest first.
func (f *FSM) Hashes() []Hash {
	f.hashes.mu.Lock()
	defer f.hashes.mu.Unlock()
	return append([]Hash(nil), f.hashes.kept...)
}
