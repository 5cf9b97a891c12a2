package http1

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// writeBuffer holds nearly every answer whole, so that it is one write.
	writeBuffer = 16 << 10
	// firstPause and longestPause are between two tries to accept a connection when the machine lets us have none.
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// Server answers requests with its Handler. All fields have to be set before Serve.
type Server struct {
	Handler     http.Handler
	Logger      hclog.Logger
	ReadHeader  time.Duration // from the first byte of a request, or from the connection's beginning, to the end of the header
	Read        time.Duration // from the first byte to the end of the body
	Write       time.Duration // of an answer for which the handler sets no deadline
	Idle        time.Duration // between two requests
	HeaderBytes int           // of a request's first line and header; readBuffer more may pass
	Connections int           // at the same time; more wait in the kernel's queue
	Opened      func(by int)  // told of each connection that begins (1) and ends (-1)

	writers  sync.Pool // of *bufio.Writer
	closing  atomic.Bool
	ended    sync.WaitGroup // the connections
	mu       sync.Mutex
	listener net.Listener
	open     map[*conn]bool
}

// Serve accepts connections until Shutdown or Close; it returns http.ErrServerClosed then.
func (s *Server) Serve(l net.Listener) error {
	if !s.begin(l) {
		return errors.Join(http.ErrServerClosed, l.Close())
	}
	free := make(chan struct{}, s.Connections)
	pause := firstPause
	for {
		free <- struct{}{}
		nc, err := l.Accept()
		switch {
		case s.closing.Load():
			if err == nil {
				err = nc.Close()
			}
			return errors.Join(http.ErrServerClosed, notClosed(err))
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // too many open files, most likely
			s.Logger.Warn("connection not accepted", "error", err, "again_in", pause)
			time.Sleep(pause)
			pause = min(2*pause, longestPause)
			<-free
			continue
		}
		pause = firstPause
		c := newConn(s, nc)
		if !s.add(c) {
			return errors.Join(http.ErrServerClosed, nc.Close())
		}
		go func() {
			c.serve()
			s.remove(c)
			<-free
		}()
	}
}

// begin notes what Shutdown has to close; false if it has been called already.
func (s *Server) begin(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.open = l, map[*conn]bool{}
	return !s.closing.Load()
}

// notClosed is err unless it says that something was closed.
func notClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.open[c] = true
	s.ended.Add(1)
	s.Opened(1)
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
	s.Opened(-1)
	s.ended.Done()
}

// Shutdown accepts no more connections, closes those on which no request is being handled, and waits until the others have
// answered theirs or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.stop(func(c *conn) bool { return c.state.CompareAndSwap(idle, closed) })
	done := make(chan struct{})
	go func() {
		s.ended.Wait()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Close closes everything, whatever is in progress.
func (s *Server) Close() error { return s.stop(func(*conn) bool { return true }) }

// stop stops accepting and closes the connections that end approves.
func (s *Server) stop(end func(*conn) bool) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
	if s.listener != nil {
		err = notClosed(s.listener.Close())
	}
	for c := range s.open {
		if end(c) {
			err = errors.Join(err, notClosed(c.nc.Close()))
		}
	}
	return err
}

func (s *Server) getWriter(to net.Conn) *bufio.Writer {
	if w, ok := s.writers.Get().(*bufio.Writer); ok {
		w.Reset(to)
		return w
	}
	return bufio.NewWriterSize(to, writeBuffer)
}

func (s *Server) putWriter(w *bufio.Writer) {
	w.Reset(nil)
	s.writers.Put(w)
}
