package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// longestLeasePause bounds the time between two tries to extend a lease.
const longestLeasePause = time.Second

// work runs one job and keeps its lease, and settles the message afterwards.
func (w *worker) work(jobs context.Context, d Delivery, leased time.Time) {
	ctx, end := context.WithCancelCause(jobs)
	var keeping sync.WaitGroup
	keeping.Go(func() { w.keepLease(ctx, end, d, leased) })
	err := w.job(ctx, d)
	lost := errors.Is(context.Cause(ctx), ErrLeaseLost)
	end(nil)
	keeping.Wait()
	switch {
	case err == nil:
		if w.done.add(d.ReceiptHandle) {
			w.flushSoon(jobs)
		}
	case lost:
		w.o.OnError(fmt.Errorf("job of message %s, whose lease was lost: %w", d.MessageID, err))
	default:
		w.o.OnError(fmt.Errorf("job of message %s: %w", d.MessageID, err))
		w.giveBack(jobs, d)
	}
}

// giveBack makes the message of a failed job ready again, later, or at once when the job only ran out of time to drain.
func (w *worker) giveBack(jobs context.Context, d Delivery) {
	backoff := w.o.Backoff(d.ReceiveCount())
	if errors.Is(context.Cause(jobs), ErrDrained) {
		backoff = 0
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(jobs), w.c.timeout)
	defer cancel()
	if err := w.c.ChangeVisibility(ctx, w.queue, d.ReceiptHandle, backoff); err != nil {
		w.o.OnError(fmt.Errorf("return of message %s, which comes back when its lease ends: %w", d.MessageID, err))
	}
}

// keepLease extends the lease until ctx ends, each time when half of it is over. A lease that somebody else has, or that could not
// be extended in time, ends ctx.
func (w *worker) keepLease(ctx context.Context, end context.CancelCauseFunc, d Delivery, leased time.Time) {
	length := w.o.VisibilityTimeout
	over, next := leased.Add(length), leased.Add(length/2)
	for sleep(ctx, time.Until(next)) {
		asked := time.Now()
		attempt, cancel := context.WithDeadline(ctx, over)
		err := w.c.ChangeVisibility(attempt, w.queue, d.ReceiptHandle, length)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			over, next = asked.Add(length), asked.Add(length/2)
			continue
		case isGone(err), !time.Now().Before(over):
			w.o.OnError(fmt.Errorf("extension of message %s: %w", d.MessageID, err))
			end(ErrLeaseLost)
			return
		}
		w.o.OnError(fmt.Errorf("extension of message %s, to be tried again: %w", d.MessageID, err))
		next = time.Now().Add(min(length/10, longestLeasePause))
		if next.After(over) {
			next = over
		}
	}
}

// isGone says that the message is nobody's or somebody else's.
func isGone(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status == http.StatusNotFound || e.Status == http.StatusConflict)
}
