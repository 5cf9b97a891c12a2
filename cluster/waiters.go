package cluster

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// waiter is one receive that waits for messages on the leader.
type waiter struct {
	queue     string
	max       int64 // messages it takes at most
	taking    int64 // messages it is expected to take, while it is proposed
	data      []byte
	principal *fsmpb.Principal
	certain   bool                        // it is proposed whatever is ready: it deletes, or an earlier try may have been applied
	until     time.Time                   // when it is to be answered, with or without messages
	respond   func(*fsmpb.Result, *Error) // called once, by whoever removed the waiter from the waiters
	ended     atomic.Bool                 // nobody wants it to wait any more
	timer     *time.Timer
	element   *list.Element // in its queue's list; nil while it is not parked
}

// waiters are the parked receives of one term, oldest first for each queue, and the number of messages that receives
// already proposed will take. A message is offered to one waiter only, and a receive that would find nothing is never
// proposed. Readers of the published ready counts may see old ones; that is why whoever changes a count or finishes a
// receive calls wake for the queue afterwards.
type waiters struct {
	ready   func(queue string) int64 // messages ready after the last committed batch
	propose func(*waiter)            // must call finished when the result is there
	limit   int                      // of receives that wait at once, long polls of all nodes together

	mu     sync.Mutex
	queues map[string]*waitingQueue
	parked int
	closed bool
}

type waitingQueue struct {
	parked list.List
	taking int64 // messages that receives in flight may take
}

func newWaiters(ready func(string) int64, propose func(*waiter)) *waiters {
	return &waiters{ready: ready, propose: propose, limit: fsm.MaxWaiters, queues: map[string]*waitingQueue{}}
}

func (w *waiters) queue(name string) *waitingQueue {
	q := w.queues[name]
	if q == nil {
		q = &waitingQueue{}
		w.queues[name] = q
	}
	return q
}

// tidy forgets a queue for which nobody waits.
func (w *waiters) tidy(name string, q *waitingQueue) {
	if q.taking == 0 && q.parked.Len() == 0 {
		delete(w.queues, name)
	}
}

// take proposes the receive if something is ready that no earlier receive will take and nobody waits before it.
func (w *waiters) take(x *waiter) bool {
	w.mu.Lock()
	q := w.queue(x.queue)
	free := w.ready(x.queue) - q.taking
	ok := !w.closed && free > 0 && q.parked.Len() == 0
	if ok {
		x.taking = min(x.max, free)
		q.taking += x.taking
	}
	w.tidy(x.queue, q)
	w.mu.Unlock()
	if ok {
		w.propose(x)
	}
	return ok
}

// force proposes the receive although nothing is known to be ready.
func (w *waiters) force(x *waiter) {
	w.mu.Lock()
	x.taking = x.max
	w.queue(x.queue).taking += x.taking
	w.mu.Unlock()
	w.propose(x)
}

// park keeps the receive until there is something for it, or until its time has come and expire is called.
func (w *waiters) park(x *waiter, expire func(*waiter)) *Error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return errNotLeader("the leader changed")
	}
	if x.ended.Load() { // whoever ends it from now on finds it parked
		w.mu.Unlock()
		return errNotLeader("its wait was ended")
	}
	if w.parked >= w.limit {
		parked := w.parked
		w.mu.Unlock()
		return &Error{Code: CodeLimitReached, Detail: fmt.Sprintf(
			"The cluster has %d receives waiting for messages and %d are allowed; receive with WaitTimeSeconds 0, or with fewer workers.", parked, w.limit)}
	}
	x.element = w.queue(x.queue).parked.PushBack(x)
	w.parked++
	x.timer = time.AfterFunc(time.Until(x.until), func() {
		if w.remove(x) {
			expire(x)
		}
	})
	w.mu.Unlock()
	w.wake(x.queue)
	return nil
}

// any tells whether anybody waits. A receive that parks at the same moment looks at the ready count itself.
func (w *waiters) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parked > 0
}

// remove takes a parked receive out; false means that somebody else did.
func (w *waiters) remove(x *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unpark(x)
}

func (w *waiters) unpark(x *waiter) bool {
	if x.element == nil {
		return false
	}
	q := w.queues[x.queue]
	q.parked.Remove(x.element)
	x.element = nil
	x.timer.Stop()
	w.parked--
	w.tidy(x.queue, q)
	return true
}

// wake proposes receives for the longest waiting as long as messages are ready that nobody is taking.
func (w *waiters) wake(name string) {
	for {
		x := w.next(name)
		if x == nil {
			return
		}
		w.propose(x)
	}
}

func (w *waiters) next(name string) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.queues[name]
	if q == nil || q.parked.Len() == 0 {
		return nil
	}
	free := w.ready(name) - q.taking
	if free <= 0 {
		return nil
	}
	x := q.parked.Front().Value.(*waiter)
	x.taking = min(x.max, free)
	q.taking += x.taking // before unpark, which forgets queues that nobody uses
	w.unpark(x)
	return x
}

// finished says that a proposed receive has its result, or was refused. After a refusal the others are not proposed at
// once: they would be refused too.
func (w *waiters) finished(x *waiter, applied bool) {
	w.mu.Lock()
	q := w.queues[x.queue]
	q.taking -= x.taking
	w.tidy(x.queue, q)
	w.mu.Unlock()
	if applied {
		w.wake(x.queue)
	} else {
		time.AfterFunc(retryPause, func() { w.wake(x.queue) })
	}
}

// close ends all waiting: the term is over, and the nodes that hold the connections ask the next leader.
func (w *waiters) close() {
	w.mu.Lock()
	w.closed = true
	var all []*waiter
	for _, q := range w.queues {
		for e := q.parked.Front(); e != nil; e = e.Next() {
			all = append(all, e.Value.(*waiter))
		}
	}
	w.mu.Unlock()
	for _, x := range all {
		if w.remove(x) {
			x.respond(nil, errNotLeader("the leader changed"))
		}
	}
}
