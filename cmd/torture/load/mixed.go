package load

import (
	"context"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// mixed does something at random with messages, more of it in the queue with long leases.
func (w *worker) mixed(ctx context.Context) {
	queue, lease := mainQueue, Lease
	if w.random.IntN(4) == 0 {
		queue, lease = shortQueue, shortLease
	}
	switch n := w.random.IntN(20); {
	case n < 7:
		w.send(ctx, queue, 0)
	case n < 8:
		w.send(ctx, queue, time.Duration(1+w.random.IntN(3))*time.Second)
	case n < 9 && w.random.IntN(2) == 0:
		w.sendKeyed(ctx, queue)
	case n < 9:
		w.sendBatch(ctx, queue, 1+w.random.IntN(client.MaxBatch))
	default:
		w.takeSome(ctx, queue, lease)
	}
}

// takeSome receives messages and settles each of them.
func (w *worker) takeSome(ctx context.Context, queue string, lease time.Duration) {
	how := receiving{max: 1 + w.random.IntN(client.MaxBatch), lease: lease}
	switch w.random.IntN(4) {
	case 0:
		how.wait = time.Second
	case 1:
		how.own, how.lease = true, lease+time.Second
	}
	got := w.receive(ctx, queue, how)
	if len(got) == 0 {
		return
	}
	w.useOldReceipts(ctx, got)
	if queue == shortQueue && w.random.IntN(2) == 0 {
		w.abandon(got)
		return
	}
	switch w.random.IntN(4) {
	case 0:
		w.deleteBatch(ctx, got)
	case 1:
		next := w.receive(ctx, queue, receiving{max: how.max, lease: lease, done: got})
		for _, d := range next {
			w.delete(ctx, d)
		}
	case 2:
		w.change(ctx, got[0], []time.Duration{0, lease, lease + 2*time.Second}[w.random.IntN(3)])
		for _, d := range got[1:] {
			w.delete(ctx, d)
		}
	default:
		for _, d := range got {
			w.delete(ctx, d)
		}
	}
}

// abandon leaves leases to end. Whoever receives one of the messages next finds the old receipt.
func (w *worker) abandon(deliveries []*history.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range deliveries {
		w.lapsed[d.MessageID] = d
	}
}

// useOldReceipts tries what must be refused: to delete, or to keep, a message with the receipt of an earlier delivery.
func (w *worker) useOldReceipts(ctx context.Context, got []*history.Delivery) {
	for _, d := range got {
		w.mu.Lock()
		old := w.lapsed[d.MessageID]
		delete(w.lapsed, d.MessageID)
		w.mu.Unlock()
		switch {
		case old == nil:
		case w.random.IntN(3) == 0:
			w.change(ctx, old, Lease)
		default:
			w.delete(ctx, old)
		}
	}
}

// drain receives and deletes from all queues that are not empty, in turn: there may be thousands.
func (w *worker) drain(ctx context.Context) {
	for i := w.number; ctx.Err() == nil; i++ {
		queue, ok := w.fullQueue(i)
		if !ok {
			nodes.Pause(ctx, drainPause)
			continue
		}
		how := receiving{max: client.MaxBatch, lease: Lease, own: true}
		if i%4 == 0 {
			how.wait = time.Second
		}
		if got := w.receive(ctx, queue, how); len(got) > 0 {
			w.deleteBatch(ctx, got)
		}
	}
}

// drainPause is until drainers look again whether a queue is not empty.
const drainPause = 10 * time.Millisecond

// fullQueue returns the i-th queue that is not empty, modulo their number, if there is one.
func (l *Load) fullQueue(i int) (name string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.full) == 0 {
		return "", false
	}
	return l.full[i%len(l.full)], true
}
