package client

import (
	"context"
	"fmt"
	"sync"
)

// finishedJob is a message that is to be deleted.
type finishedJob struct {
	handle string
	tried  bool // a delete without an answer was made, so that the message may be gone
}

// finished holds the messages of the jobs that are done. Their deletes ride on the next receive; while a receive waits for
// messages they are deleted in a request of their own. mu guards everything.
type finished struct {
	mu        sync.Mutex
	jobs      []finishedJob
	receiving bool // a receive is under way that took what was there
	flushing  bool // somebody deletes, or is about to
}

// add notes a finished job, and says whether somebody has to be sent to delete it.
func (f *finished) add(handle string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs = append(f.jobs, finishedJob{handle: handle})
	return f.needsFlush()
}

func (f *finished) needsFlush() bool {
	if !f.receiving || f.flushing || len(f.jobs) == 0 {
		return false
	}
	f.flushing = true
	return true
}

// board returns what rides on a receive that begins now, and whether somebody has to be sent for the rest.
func (f *finished) board() (riding []finishedJob, rest bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.receiving = true
	return f.take(), f.needsFlush()
}

// arrived notes the end of a receive.
func (f *finished) arrived() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.receiving = false
}

// again returns jobs whose deletes had no answer.
func (f *finished) again(jobs []finishedJob) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range jobs {
		f.jobs = append(f.jobs, finishedJob{handle: j.handle, tried: true})
	}
}

// next returns what one request is to delete; nothing ends the flush.
func (f *finished) next() []finishedJob {
	f.mu.Lock()
	defer f.mu.Unlock()
	jobs := f.take()
	f.flushing = len(jobs) > 0
	return jobs
}

// flushed ends a flush although there may be more.
func (f *finished) flushed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushing = false
}

func (f *finished) take() []finishedJob {
	n := min(len(f.jobs), MaxBatch)
	taken := f.jobs[:n:n]
	f.jobs = f.jobs[n:]
	return taken
}

func handlesOf(jobs []finishedJob) []string {
	var handles []string
	for _, j := range jobs {
		handles = append(handles, j.handle)
	}
	return handles
}

// flushSoon deletes finished messages, after a moment in which a receive may still take them along.
func (w *worker) flushSoon(jobs context.Context) {
	w.jobs.Go(func() {
		if !sleep(jobs, flushDelay) {
			w.done.flushed()
			return
		}
		if err := w.flush(jobs); err != nil {
			w.o.OnError(err)
		}
	})
}

// flush deletes finished messages until there are none.
func (w *worker) flush(ctx context.Context) error {
	for pause := firstPause; ; {
		jobs := w.done.next()
		if len(jobs) == 0 {
			return nil
		}
		results, err := w.c.DeleteBatch(ctx, w.queue, handlesOf(jobs))
		if err == nil {
			w.tell(jobs, results)
			continue
		}
		if err = fmt.Errorf("delete of %d finished messages: %w", len(jobs), err); isFinal(err) {
			w.done.flushed()
			return err
		}
		w.o.OnError(err)
		w.done.again(jobs)
		if !sleep(ctx, max(pause, retryAfter(err))) {
			w.done.flushed()
			return err
		}
		pause = min(2*pause, longestReceivePause)
	}
}

// lastFlush deletes what is left when all jobs have ended.
func (w *worker) lastFlush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.c.timeout)
	defer cancel()
	return w.flush(ctx)
}

// tell reports the messages that were not deleted: they will be worked on once more.
func (w *worker) tell(jobs []finishedJob, results []EntryResult) {
	for i, r := range results {
		e, ok := r.Err.(*Error)
		if !ok || jobs[i].tried && e.Code == CodeMessageNotFound {
			continue
		}
		w.o.OnError(fmt.Errorf("delete of a finished message, which may come back: %w", e))
	}
}
