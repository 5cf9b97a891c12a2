package cluster

import (
	"context"
	"sync"
	"time"
)

// rounds proves to readers that this node still leads. A round asks every voter for its term; a majority, this node
// included, that answers with at most this term shows that no newer leader had been elected when the round began (a
// node raises its term on disk before it votes). Readers that come while a round is under way share the next one: the
// running one began before they asked. This is the read index of the raft thesis, section 6.4; raft's own VerifyLeader
// also counts answers that were sent before the question.
type rounds struct {
	ask func(context.Context) *Error // one round

	mu      sync.Mutex
	waiting []func(*Error)
	running bool
}

const roundLimit = time.Second

// join has done called, on another goroutine, after a round that begins after this call.
func (r *rounds) join(done func(*Error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, done)
	if !r.running {
		r.running = true
		go r.run()
	}
}

func (r *rounds) run() {
	for {
		r.mu.Lock()
		batch := r.waiting
		r.waiting = nil
		if len(batch) == 0 {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), roundLimit)
		err := r.ask(ctx)
		cancel()
		for _, done := range batch {
			done(err)
		}
	}
}
