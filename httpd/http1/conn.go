package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	readBuffer = 4 << 10
	// maxUnread is how much of a body that its handler left unread is read so that the connection can go on.
	maxUnread = 256 << 10
	// lingerTime and lingerBytes bound how long a client may go on sending on a connection that is about to end.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 1 << 20
)

// States of a connection. Shutdown makes an idle one closed; everything else is done by the connection's own goroutine.
const (
	idle int32 = iota
	active
	closed
)

// conn is one connection. One goroutine reads requests, calls the handler and writes answers, one after the other.
type conn struct {
	server *Server
	nc     net.Conn
	remote string
	ctx    context.Context // of all requests; ends when the client has gone
	gone   context.CancelFunc
	state  atomic.Int32
	reader *bufio.Reader
	answer response
	watch  watch

	posted bool // the last request was a POST

	// Of the request that is being read.
	began time.Time
	limit time.Duration // since began, when more has to be read; 0: that is set already
	room  int           // bytes that its header may still take; -1: it is complete
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, nc: nc, remote: nc.RemoteAddr().String()}
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, nc.LocalAddr())
	c.ctx, c.gone = context.WithCancel(ctx)
	c.reader = bufio.NewReaderSize(c, readBuffer)
	c.answer = response{conn: c, header: http.Header{}}
	c.watch.conn = c
	return c
}

// serve handles requests until the connection ends.
func (c *conn) serve() {
	defer func() {
		if p := recover(); p != nil {
			c.server.Logger.Error("panic while a request was handled", "from", c.remote, "panic", p, "stack", string(debug.Stack()))
		}
		c.watch.end()
		c.gone()
		_ = c.nc.Close() // the client's affair
	}()
	for wait := min(c.server.ReadHeader, c.server.Idle); c.await(wait); wait = c.server.Idle {
		r, err := c.read()
		if err != nil {
			c.refuse(err)
			return
		}
		if !c.handle(r) {
			return
		}
	}
}

// await waits for the first byte of a request. False means that there will be none.
func (c *conn) await(limit time.Duration) bool {
	c.state.Store(idle)
	if c.server.closing.Load() || c.ctx.Err() != nil {
		return false
	}
	c.limit, c.room = 0, c.server.HeaderBytes+readBuffer
	if c.reader.Buffered() == 0 {
		if c.nc.SetReadDeadline(time.Now().Add(limit)) != nil {
			return false
		}
		if _, err := c.reader.Peek(1); err != nil {
			return false
		}
	}
	c.began, c.limit = time.Now(), c.server.ReadHeader
	return c.state.CompareAndSwap(idle, active)
}

// Read implements io.Reader for the buffer: it reads from the connection, within the limits of time and size. A request that
// arrives in one piece sets no deadline.
func (c *conn) Read(p []byte) (int, error) {
	if c.limit > 0 {
		if err := c.nc.SetReadDeadline(c.began.Add(c.limit)); err != nil {
			return 0, err
		}
		c.limit = 0
	}
	if c.room < 0 {
		return c.nc.Read(p)
	}
	if c.room == 0 {
		return 0, io.EOF
	}
	n, err := c.nc.Read(p[:min(len(p), c.room)])
	c.room -= n
	return n, err
}

// refusal is a request that no handler sees.
type refusal struct {
	status int
	reason string
}

func (r refusal) Error() string { return r.reason }

// read reads the header of a request.
func (c *conn) read() (*http.Request, error) {
	if c.posted {
		if err := c.skipEmptyLines(); err != nil {
			return nil, err
		}
	}
	r, err := http.ReadRequest(c.reader)
	if err != nil && c.room == 0 {
		return nil, refusal{status: http.StatusRequestHeaderFieldsTooLarge}
	}
	if err != nil {
		return nil, err
	}
	c.limit, c.room = c.server.Read, -1
	if err := check(r); err != nil {
		return nil, err
	}
	c.posted = r.Method == http.MethodPost
	r = r.WithContext(c.ctx)
	r.RemoteAddr = c.remote
	return r, nil
}

// skipEmptyLines skips what old clients send behind a body (RFC 9112, section 2.2).
func (c *conn) skipEmptyLines() error {
	for range 4 {
		b, err := c.reader.Peek(1)
		if err != nil || b[0] != '\r' && b[0] != '\n' {
			return err
		}
		if _, err := c.reader.Discard(1); err != nil {
			return err
		}
	}
	return nil
}

// check refuses what http.ReadRequest lets pass and net/http's server does not.
func check(r *http.Request) error {
	if r.ProtoMajor != 1 {
		return refusal{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	}
	if r.ProtoMinor >= 1 && r.Host == "" && r.Method != http.MethodConnect {
		return refusal{http.StatusBadRequest, "missing required Host header"}
	}
	if !httpguts.ValidHostHeader(r.Host) {
		return refusal{http.StatusBadRequest, "malformed Host header"}
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return refusal{http.StatusBadRequest, "invalid header name"}
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return refusal{http.StatusBadRequest, "invalid header value"}
			}
		}
	}
	if r.Header.Get("Expect") != "" && !expectsContinue(r) {
		return refusal{status: http.StatusExpectationFailed}
	}
	return nil
}

func expectsContinue(r *http.Request) bool {
	return httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
}

// refuse answers what is no request, unless it was just broken off.
func (c *conn) refuse(err error) {
	var network *net.OpError // also of a deadline
	if errors.Is(err, io.EOF) || errors.As(err, &network) {
		return
	}
	var why refusal
	switch {
	case errors.As(err, &why):
	case strings.Contains(err.Error(), "unsupported transfer encoding"): // net/http's type is its own
		why = refusal{status: http.StatusNotImplemented}
	default:
		why = refusal{status: http.StatusBadRequest}
	}
	status := fmt.Sprint(why.status, " ", http.StatusText(why.status))
	if why.reason != "" {
		status += ": " + why.reason
	}
	if c.nc.SetWriteDeadline(time.Now().Add(c.server.Write)) != nil {
		return
	}
	_, err = fmt.Fprintf(c.nc, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, len(status), status)
	if err == nil {
		c.linger()
	}
}

// handle answers a request and tells whether the connection goes on.
func (c *conn) handle(r *http.Request) bool {
	body := &requestBody{conn: c, ReadCloser: r.Body, ended: r.Body == http.NoBody}
	body.asked = expectsContinue(r) && r.ProtoMinor >= 1 && !body.ended
	r.Body = body
	c.answer.begin(r, body)
	c.watch.begin(body.ended)
	if r.Method != http.MethodOptions || r.RequestURI != "*" { // which asks whether anybody is there
		c.server.Handler.ServeHTTP(&c.answer, r)
	}
	err := c.answer.end()
	c.watch.end()
	if err == nil && c.answer.last && !body.ended {
		c.linger()
	}
	return err == nil && !c.answer.last
}

// linger waits a moment for a client that is still sending: it would be told that the connection is broken and perhaps not
// read the answer (RFC 9112, section 9.6).
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if ok && half.CloseWrite() == nil && c.nc.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.nc, lingerBytes) // however it ends, so does the connection
	}
}
