package http1

import (
	"errors"
	"os"
	"sync"
	"time"
)

// watchAfter is how long a request is handled before it is looked whether its client is still there. Nearly all are done by
// then, and cost neither a goroutine nor a system call for that.
const watchAfter = 100 * time.Millisecond

// watch ends the context of a connection whose client goes while its request is handled. It reads ahead, so it begins when
// the body was read.
type watch struct {
	conn *conn

	mu       sync.Mutex
	timer    *time.Timer
	handling bool
	read     bool          // the body was
	due      bool          // watchAfter is over
	stopped  chan struct{} // closed when the goroutine has ended; nil: there is none
}

// begin is called before a request is handled.
func (w *watch) begin(bodyRead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handling, w.read, w.due = true, bodyRead, false
	if w.timer == nil {
		w.timer = time.AfterFunc(watchAfter, w.dueNow)
	} else {
		w.timer.Reset(watchAfter)
	}
}

// dueNow may come late, in the next request, which is watched early then.
func (w *watch) dueNow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = true
	w.start()
}

func (w *watch) bodyEnded() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read = true
	w.start()
}

// start begins to watch if it is time for it. The caller holds the lock.
func (w *watch) start() {
	c := w.conn
	if !w.handling || !w.read || !w.due || w.stopped != nil { // the reader is the connection's own goroutine's
		return
	}
	ahead := c.reader.Buffered() // of the next request
	if ahead == readBuffer {
		return
	}
	c.limit = 0
	if c.nc.SetReadDeadline(time.Time{}) != nil {
		c.gone()
		return
	}
	stopped := make(chan struct{})
	w.stopped = stopped
	go func() {
		defer close(stopped)
		if _, err := c.reader.Peek(ahead + 1); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.gone()
		}
	}()
}

// end is called when the request was handled; nobody reads from the connection then.
func (w *watch) end() {
	w.mu.Lock()
	w.handling = false
	stopped := w.stopped
	w.stopped = nil
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	if stopped != nil {
		_ = w.conn.nc.SetReadDeadline(time.Unix(1, 0)) // it fails only on a closed connection, whose reader ends as well
		<-stopped
	}
}
