package auth

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
)

// MaxHashWaiting is how many callers of a Hasher may wait for their turn.
const MaxHashWaiting = 100

// ErrBusy says that MaxHashWaiting callers wait already; trying again after a second may help.
var ErrBusy = errors.New("too many passwords are being checked")

// Hasher hashes and verifies passwords, at most half the cores (at least one) at once, so that a storm of log-ins leaves
// the other half to messages. It is safe for concurrent use; callers beyond the limit wait on the turns channel.
type Hasher struct {
	turns   chan struct{} // holds one value per hash in progress
	waiting atomic.Int64  // callers between enter and their turn
	dummy   string        // a hash of no password, for users who do not exist
}

// NewHasher returns a Hasher for this machine's cores.
func NewHasher() *Hasher {
	p := parameters{memoryKiB: hashMemoryKiB, passes: hashPasses, lanes: hashLanes,
		salt: make([]byte, hashSaltBytes), key: make([]byte, hashKeyBytes)}
	return &Hasher{turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), dummy: p.String()}
}

// enter waits for a turn. Every enter without an error needs a leave.
func (h *Hasher) enter(ctx context.Context) error {
	select {
	case h.turns <- struct{}{}:
		return nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > MaxHashWaiting {
		return ErrBusy
	}
	select {
	case h.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Hasher) leave() { <-h.turns }
