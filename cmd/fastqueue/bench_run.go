package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

const (
	maxBenchBytes    = 1 << 20     // of one batch, which is the server's limit
	benchQueueLength = 100_000_000 // the largest that a queue may have: the bench is never refused for it
	benchVisibility  = 30 * time.Second
	drainConnections = 16
	cleanUpTime      = 10 * time.Second
	drainPatience    = 2 * benchVisibility // how long the drain goes on without receiving anything
	progressInterval = time.Second         // between two lines of progress
	fillTime         = 6 * time.Hour       // for mode fill, which ends when its messages are sent
)

// bench is one run. The counters are shared by all connections.
type bench struct {
	o        *benchOptions
	client   *client.Client
	queue    string
	path     string // of the queue's messages
	ledger   *ledger
	schedule *schedule

	operations               histogram // whole operations, from their scheduled start
	sends, receives, deletes histogram // the parts of a loop
	sent                     atomic.Int64
	failed                   atomic.Int64
	lateMessages             atomic.Bool // a receive failed: messages may have been leased to nobody and come back late
	lastError                atomic.Pointer[error]
}

// runBench measures, drains, checks and cleans up. It fails when something was lost, duplicated or out of order.
func runBench(ctx context.Context, o *benchOptions, c *client.Client, out, progress io.Writer) (err error) {
	queue := "bench-" + rand.Text()
	b := &bench{o: o, client: c, queue: queue, path: "/v1/queue/" + queue, ledger: newLedger(o.connections)}
	settings := client.QueueSettings{MaxLength: benchQueueLength, VisibilityTimeout: int64(benchVisibility / time.Second)}
	if _, err := c.CreateQueue(ctx, queue, settings); err != nil {
		return fmt.Errorf("bench queue: %w", err)
	}
	if o.mode == modeFill {
		return b.fill(ctx, out, progress)
	}
	defer func() { err = errors.Join(err, b.cleanUp(ctx)) }()
	elapsed, err := b.load(ctx, progress)
	if err != nil {
		return err
	}
	left, err := b.drain(ctx, progress)
	if err != nil {
		return err
	}
	return b.report(out, elapsed, left)
}

// fill sends the messages and leaves them there.
func (b *bench) fill(ctx context.Context, out, progress io.Writer) error {
	elapsed, err := b.load(ctx, progress)
	if err != nil {
		return err
	}
	sent := b.sent.Load()
	_, err = fmt.Fprintf(out, "%d messages of %d bytes wait in the queue %s after %s, %.0f/s\n",
		sent, b.o.size, b.queue, shown(elapsed), float64(sent)/elapsed.Seconds())
	if err == nil && sent < int64(b.o.messages) {
		err = fmt.Errorf("%d of %d messages were sent", sent, b.o.messages)
		if e := b.lastError.Load(); e != nil {
			err = fmt.Errorf("%w; the last failure: %w", err, *e)
		}
	}
	return err
}

// cleanUp deletes the bench's queue, also when the run was interrupted.
func (b *bench) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	if err := b.client.DeleteQueue(ctx, b.queue); err != nil {
		return fmt.Errorf("delete of bench queue %s: %w", b.queue, err)
	}
	return nil
}

// newWorkers makes n workers with their own connections, spread over the nodes.
func (b *bench) newWorkers(ctx context.Context, n int) ([]*worker, error) {
	token, err := b.client.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	padding := make([]byte, b.o.size-labelBytes)
	for i := range padding {
		padding[i] = 'x'
	}
	workers := make([]*worker, n)
	for i := range workers {
		conn, err := newRawConn(b.o.urls, i)
		if err != nil {
			return nil, err
		}
		workers[i] = &worker{b: b, id: i, conn: conn, token: token, padding: padding, newest: make([]int, b.o.connections)}
	}
	return workers, nil
}

// load runs the operations and returns how long they took.
func (b *bench) load(ctx context.Context, progress io.Writer) (time.Duration, error) {
	workers, err := b.newWorkers(ctx, b.o.connections)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	b.schedule = newSchedule(start, b.o.duration, b.o.rate)
	if b.o.mode == modeFill {
		b.schedule = newSchedule(start, fillTime, b.o.rate)
		b.schedule.most = int64(b.o.messages+client.MaxBatch-1) / client.MaxBatch
	}
	var running sync.WaitGroup
	for _, w := range workers {
		running.Go(func() {
			defer w.conn.close()
			w.load(ctx, w.operation())
		})
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	b.showProgress(progress, start, done)
	return time.Since(start), context.Cause(ctx)
}

// operation returns what the worker does again and again.
func (w *worker) operation() func(context.Context) error {
	switch w.b.o.mode {
	case modeLoop:
		return w.loopOne
	case modeBatch, modeFill:
		return w.sendBatch
	default:
		return w.sendOne
	}
}

// drain receives and deletes until the queue holds nothing, and returns how many messages it could not get.
func (b *bench) drain(ctx context.Context, progress io.Writer) (left int64, err error) {
	if _, err := fmt.Fprintln(progress, "draining"); err != nil {
		return 0, fmt.Errorf("progress: %w", err)
	}
	workers, err := b.newWorkers(ctx, min(drainConnections, b.o.connections))
	if err != nil {
		return 0, err
	}
	for lastProgress := time.Now(); ; {
		var got atomic.Int64
		var running sync.WaitGroup
		for _, w := range workers {
			running.Go(func() {
				defer w.conn.close()
				got.Add(w.drain(ctx))
			})
		}
		running.Wait()
		if got.Load() > 0 {
			lastProgress = time.Now()
		}
		left, err = b.messagesLeft(ctx)
		if err != nil || left == 0 || time.Since(lastProgress) > drainPatience {
			return left, err
		}
	}
}

// drain receives and deletes until a receive comes back empty or ctx ends, and returns how many messages it got.
func (w *worker) drain(ctx context.Context) (got int64) {
	for ctx.Err() == nil {
		deliveries, err := w.receive(ctx, client.MaxBatch, 1)
		if err == nil && len(deliveries) == 0 {
			return got
		}
		if err == nil {
			got += int64(len(deliveries))
			err = w.deleteBatch(ctx, deliveries)
		}
		if err != nil {
			w.b.rememberError(err)
			pause(ctx, pauseAfterFailure)
			return got
		}
	}
	return got
}

// messagesLeft returns how many messages the queue holds, leased ones included.
func (b *bench) messagesLeft(ctx context.Context) (int64, error) {
	queues, err := b.client.Queues(ctx)
	if err != nil {
		return 0, fmt.Errorf("bench queue: %w", err)
	}
	for _, q := range queues {
		if q.Name == b.queue {
			return q.MessageCount, nil
		}
	}
	return 0, fmt.Errorf("bench queue: %s has disappeared", b.queue)
}

func (b *bench) rememberError(err error) { b.lastError.Store(&err) }
