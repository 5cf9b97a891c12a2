package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

const (
	loadWorkers = 64
	// loadLease is the load's visibility timeout: long enough that an early second lease is seen as such, short enough for
	// the drain to wait for messages that were leased to nobody.
	loadLease = 5 * time.Second
)

// load is clients that send, receive and delete at random through all nodes of a cluster, and record what they see.
type load struct {
	t       *testing.T
	c       *testCluster
	queue   string
	h       *history
	stop    context.CancelFunc
	running sync.WaitGroup

	underWay   atomic.Int64 // requests sent and not answered
	bodies     atomic.Int64 // bodies used so far
	lastWrite  atomic.Int64 // when the youngest acknowledged send began, in nanoseconds since begin
	begin      time.Time
	recoveries []time.Duration // from each kill to the next acknowledged write; the test's own goroutine writes
}

// startLoad makes a queue and starts the workers.
func startLoad(c *testCluster) *load {
	c.t.Helper()
	return startLoadThrough(c, c.client)
}

// startLoadThrough is startLoad with a client of the caller's for each worker.
func startLoadThrough(c *testCluster, clientOf func(worker int) *client.Client) *load {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	l := &load{t: c.t, c: c, queue: "load", h: newHistory(), stop: stop, begin: time.Now()}
	c.createQueue(l.queue, loadLease)
	for i := range loadWorkers {
		w := &loadWorker{load: l, api: clientOf(i), random: rand.New(rand.NewPCG(1, uint64(i)))}
		l.running.Go(func() { w.work(ctx) })
	}
	c.t.Cleanup(func() {
		stop()
		l.running.Wait()
	})
	return l
}

// finish stops the workers and drains the queue completely.
func (l *load) finish() {
	l.t.Helper()
	l.stop()
	l.running.Wait()
	ctx, stop := context.WithCancel(l.t.Context())
	for i := range 16 {
		w := &loadWorker{load: l, api: l.c.client(i)}
		l.running.Go(func() {
			for ctx.Err() == nil {
				w.receiveAndDelete(ctx, client.MaxBatch, time.Second)
			}
		})
	}
	eventuallyWithin(l.t, 2*patience, "the queue is drained", func() error { return l.isEmpty(ctx) })
	stop()
	l.running.Wait()
}

func (l *load) isEmpty(ctx context.Context) error {
	queues, err := l.c.client(0).Queues(ctx)
	if err != nil {
		return err
	}
	for _, q := range queues {
		if q.Name == l.queue && q.MessageCount == 0 {
			return nil
		}
	}
	return fmt.Errorf("queues: %+v", queues)
}

// waitAcknowledged waits until so many more sends and deletes were acknowledged.
func (l *load) waitAcknowledged(sends, deletes int) {
	l.t.Helper()
	sendsBefore, deletesBefore := l.h.acknowledged()
	eventuallyWithin(l.t, 2*patience, "the load goes on", func() error {
		s, d := l.h.acknowledged()
		if s-sendsBefore >= sends && d-deletesBefore >= deletes {
			return nil
		}
		return fmt.Errorf("%d sends and %d deletes acknowledged", s-sendsBefore, d-deletesBefore)
	})
}

// waitUnderWay returns at a moment when at least n requests are under way.
func (l *load) waitUnderWay(n int64) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%d requests under way", n), func() error {
		if now := l.underWay.Load(); now < n {
			return fmt.Errorf("%d under way", now)
		}
		return nil
	})
}

// waitWriteAfter waits until a send that began after the given time was acknowledged.
func (l *load) waitWriteAfter(t time.Time) {
	l.t.Helper()
	eventually(l.t, "writes go on", func() error {
		if l.begin.Add(time.Duration(l.lastWrite.Load())).After(t) {
			return nil
		}
		return errors.New("no send acknowledged since")
	})
}

// loadWorker is one client.
type loadWorker struct {
	*load
	api    *client.Client
	random *rand.Rand
}

func (w *loadWorker) work(ctx context.Context) {
	for ctx.Err() == nil {
		if w.random.IntN(2) == 0 {
			w.send(ctx)
		} else {
			w.receiveAndDelete(ctx, 1+w.random.IntN(client.MaxBatch), 0)
		}
	}
}

// request carries out one request. It is not cut short when the load stops, so that its outcome is known.
func (w *loadWorker) request(ctx context.Context, do func(context.Context) error) (start, end time.Time, err error) {
	start = time.Now()
	w.underWay.Add(1)
	err = do(context.WithoutCancel(ctx))
	w.underWay.Add(-1)
	if err != nil {
		pause(ctx, pauseAfterFailure)
	}
	return start, time.Now(), err
}

func (w *loadWorker) send(ctx context.Context) {
	r := &sendRecord{body: fmt.Sprintf("message %d", w.bodies.Add(1))}
	start, _, err := w.request(ctx, func(ctx context.Context) (err error) {
		r.messageID, err = w.api.Send(ctx, w.queue, client.Message{Body: r.body})
		return err
	})
	if r.answer = w.answerOf("send", err); r.answer == answeredOK {
		w.noteWrite(int64(start.Sub(w.begin)))
	}
	w.h.addSend(r)
}

func (l *load) noteWrite(began int64) {
	for {
		old := l.lastWrite.Load()
		if began <= old || l.lastWrite.CompareAndSwap(old, began) {
			return
		}
	}
}

func (w *loadWorker) receiveAndDelete(ctx context.Context, n int, wait time.Duration) {
	var got []client.Delivery
	start, end, err := w.request(ctx, func(ctx context.Context) (err error) {
		got, err = w.api.Receive(ctx, w.queue, client.ReceiveOptions{Max: n, Wait: wait})
		return err
	})
	if w.answerOf("receive", err) != answeredOK {
		return
	}
	for _, d := range got {
		r := &receiveRecord{start: start, end: end, body: d.Body, messageID: d.MessageID, handle: d.ReceiptHandle, lease: loadLease}
		w.h.addReceive(r)
		w.delete(ctx, r)
	}
}

func (w *loadWorker) delete(ctx context.Context, of *receiveRecord) {
	start, end, err := w.request(ctx, func(ctx context.Context) error { return w.api.Delete(ctx, w.queue, of.handle) })
	w.h.addDelete(&deleteRecord{start: start, end: end, of: of, answer: w.answerOf("delete", err)})
}

// answerOf tells what an error says of the effect of a request. All requests are valid: a refusal other than "not now", or
// "gone" for a delete, is a fault of the cluster's.
func (w *loadWorker) answerOf(what string, err error) answer {
	var e *client.Error
	switch {
	case err == nil:
		return answeredOK
	case !errors.As(err, &e):
		w.t.Errorf("%s: %v", what, err)
		return answeredUnknown
	case e.Outcome == client.Unknown:
		w.t.Logf("%s, %s after the load began: %v", what, time.Since(w.begin).Round(time.Millisecond), err)
		return answeredUnknown
	case e.Status == 0 || e.Status == http.StatusServiceUnavailable || (e.Status == http.StatusNotFound && what == "delete"):
		return answeredRefused
	}
	w.t.Errorf("%s: an answer that a valid request should not get: %v", what, err)
	return answeredRefused
}
