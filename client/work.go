package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// The defaults of WorkerOptions.
const (
	DefaultWait       = 20 * time.Second
	DefaultVisibility = 30 * time.Second
	DefaultDrainTime  = 30 * time.Second
)

const (
	flushDelay          = 50 * time.Millisecond // how long a finished job's delete may wait for a receive to ride on
	longestReceivePause = 5 * time.Second
	longestBackoff      = 5 * time.Minute
)

var (
	// ErrLeaseLost is the cause with which the context of a job ends whose message is, or soon will be, somebody else's.
	ErrLeaseLost = errors.New("the lease of the message was lost")
	// ErrDrained is the cause with which the context of a job ends that took longer than DrainTime allows.
	ErrDrained = errors.New("the worker stops and the job takes too long")
)

// WorkerOptions say how Work works. The zero value is good for jobs one at a time.
type WorkerOptions struct {
	Concurrency int // jobs at a time; 0 means 1
	Batch       int // messages of one receive, at most MaxBatch; 0 means as many as jobs may start
	// Wait is how long one receive waits for messages; whole seconds, at most 20. 0 means DefaultWait, or with a Limit not to
	// wait.
	Wait time.Duration
	// VisibilityTimeout is how long a message stays leased after its worker was last heard of; whole seconds, at least 2.
	// 0 means DefaultVisibility. The lease is extended when half of it is over, so a job may take as long as it likes.
	VisibilityTimeout time.Duration
	// Backoff is after how long a message whose job failed is ready again; receiveCount is 1 the first time. nil means 1 s,
	// twice as long each time, and at most 5 minutes.
	Backoff func(receiveCount int) time.Duration
	// DrainTime is how long jobs may go on when Work's context has ended; then their own contexts end too, and their messages
	// are ready again at once. 0 means DefaultDrainTime.
	DrainTime time.Duration
	// Limit ends the work after so many messages, or as soon as a receive finds none. 0 means to work until the context ends.
	Limit int
	// OnError hears of failed jobs and of requests that failed; Work goes on. It is called from several goroutines. nil: nobody does.
	OnError func(error)
}

// withDefaults returns the options with every zero replaced.
func (o WorkerOptions) withDefaults() WorkerOptions {
	o.Concurrency = max(o.Concurrency, 1)
	if o.Batch <= 0 || o.Batch > MaxBatch {
		o.Batch = MaxBatch
	}
	if o.Wait == 0 && o.Limit == 0 {
		o.Wait = DefaultWait
	}
	if o.VisibilityTimeout == 0 {
		o.VisibilityTimeout = DefaultVisibility
	}
	o.VisibilityTimeout = max(o.VisibilityTimeout, 2*time.Second)
	if o.DrainTime == 0 {
		o.DrainTime = DefaultDrainTime
	}
	if o.Backoff == nil {
		o.Backoff = doubling
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	return o
}

func doubling(receiveCount int) time.Duration {
	return min(time.Second<<min(max(receiveCount-1, 0), 16), longestBackoff)
}

// worker is one call of Work.
type worker struct {
	c     *Client
	queue string
	o     WorkerOptions
	job   func(context.Context, Delivery) error
	slots chan struct{} // holds one item for every job that runs or is about to
	jobs  sync.WaitGroup
	done  finished
}

// Work receives messages and gives each to job until ctx ends; job is called by up to Concurrency goroutines. A message whose job
// returns nil is deleted; one whose job fails is ready again after a back-off. The lease is extended while the job runs; when
// it is lost all the same, the job's context ends with ErrLeaseLost. Every message is worked on at least once, and twice when
// a worker dies or loses its lease, so jobs must bear that.
//
// When ctx ends nothing more is received, jobs have DrainTime to finish, and Work returns nil after the last one. It returns an
// error when going on makes no sense: the queue does not exist, or the credentials are refused.
func (c *Client) Work(ctx context.Context, queue string, o WorkerOptions, job func(ctx context.Context, d Delivery) error) error {
	w := &worker{c: c, queue: queue, o: o.withDefaults(), job: job}
	w.slots = make(chan struct{}, w.o.Concurrency)
	jobs, endJobs := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endJobs(nil)
	var draining sync.WaitGroup
	draining.Go(func() {
		select {
		case <-ctx.Done():
			if sleep(jobs, w.o.DrainTime) {
				endJobs(ErrDrained)
			}
		case <-jobs.Done():
		}
	})
	err := w.receive(ctx, jobs)
	w.jobs.Wait()
	endJobs(nil)
	draining.Wait()
	return errors.Join(err, w.lastFlush(ctx))
}

// receive starts jobs until ctx ends, the limit is reached or an error is final.
func (w *worker) receive(ctx, jobs context.Context) error {
	pause := firstPause
	for received := 0; ; {
		free := w.takeSlots(ctx, received)
		if free == 0 {
			return nil
		}
		deliveries, err := w.receiveOnce(ctx, jobs, free)
		for range free - len(deliveries) {
			<-w.slots
		}
		received += len(deliveries)
		w.start(jobs, deliveries)
		switch {
		case ctx.Err() != nil:
			return nil
		case isFinal(err):
			return fmt.Errorf("receive from %s: %w", w.queue, err)
		case err != nil:
			w.o.OnError(fmt.Errorf("receive from %s: %w", w.queue, err))
			if !sleep(ctx, max(pause, retryAfter(err))) {
				return nil
			}
			pause = min(2*pause, longestReceivePause)
		case w.o.Limit > 0 && len(deliveries) == 0:
			return nil
		default:
			pause = firstPause
		}
	}
}

// takeSlots waits until a job may start, and returns how many may; 0 means that none is to start any more.
func (w *worker) takeSlots(ctx context.Context, received int) int {
	most := w.o.Batch
	if w.o.Limit > 0 {
		most = min(most, w.o.Limit-received)
	}
	if most <= 0 || ctx.Err() != nil {
		return 0
	}
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; n < most; n++ {
		select {
		case w.slots <- struct{}{}:
		default:
			return n
		}
	}
	return most
}

// receiveOnce is one receive, on which the deletes of finished jobs ride.
func (w *worker) receiveOnce(ctx, jobs context.Context, most int) ([]Delivery, error) {
	riding, rest := w.done.board()
	if rest {
		w.flushSoon(jobs)
	}
	o := ReceiveOptions{Max: most, Wait: w.o.Wait, VisibilityTimeout: &w.o.VisibilityTimeout, SystemAttributes: true}
	deliveries, results, err := w.c.DeleteAndReceive(ctx, w.queue, handlesOf(riding), o)
	w.done.arrived()
	if err != nil {
		w.done.again(riding)
		return nil, err
	}
	w.tell(riding, results)
	return deliveries[:min(len(deliveries), most)], nil // more than was asked for would have no slot
}

func (w *worker) start(jobs context.Context, deliveries []Delivery) {
	leased := time.Now()
	for _, d := range deliveries {
		w.jobs.Go(func() {
			defer func() { <-w.slots }()
			w.work(jobs, d, leased)
		})
	}
}

// isFinal says that asking again would be refused again.
func isFinal(err error) bool {
	if err == nil {
		return false
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return true // the request could not even be made
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	}
	return e.Status >= 400 && e.Status < 500
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
