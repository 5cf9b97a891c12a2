package httpd

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	// maxBodyBytes bounds the body of a request: JSON escapes may make a message of 1 MiB six times as long.
	maxBodyBytes = 8 << 20
	// requestTime is how long the cluster may take for one request, beside what a receive waits for messages.
	requestTime = 4 * time.Second
	// maxRequestIDBytes bounds the X-Request-Id of a client.
	maxRequestIDBytes = 128
)

// request is one HTTP request on its way through a handler.
type request struct {
	http   *http.Request
	writer http.ResponseWriter // for the connection's deadlines only: respond.go writes
	id     string
	queue  string      // {name} of the path, as the client wrote it
	body   []byte      // good until the handler returns
	caller auth.Claims // zero on public routes
}

// principal names the caller to the state machine, which decides whether the token is still good.
func (r *request) principal() *fsmpb.Principal {
	return &fsmpb.Principal{Name: r.caller.Name, User: r.caller.User, Version: r.caller.Version}
}

// serve wraps a row of the route table: request id, token, limits, recovery, answer and log.
func (s *Server) serve(rt *route) gin.HandlerFunc {
	return func(c *gin.Context) {
		started := time.Now()
		r := &request{http: c.Request, writer: c.Writer, queue: c.Param("name"), id: requestID(c.Request.Header)}
		c.Writer.Header()["X-Request-Id"] = []string{r.id}
		value, err := s.run(rt, r)
		a := answerTo(value, err, rt, r.id)
		if writeErr := s.respond(c.Writer, a); writeErr != nil {
			s.logger.Debug("answer not written", "request_id", r.id, "error", writeErr)
		}
		s.logRequest(r, a.status, err, started)
	}
}

// run takes a request to its handler. A panic ends the request, not the process.
func (s *Server) run(rt *route, r *request) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &apiError{code: codeInternal, unknown: true, cause: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	if rt.access != public {
		if err := s.authenticate(rt.access, r); err != nil {
			return nil, err
		}
	}
	if rt.kind == write {
		b := s.buffers.get()
		defer s.buffers.put(b)
		if err := readBody(r, b); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(r.http.Context(), requestTime)
	defer cancel()
	return rt.handler(s, ctx, r)
}

// readBody reads the request's body into b.
func readBody(r *request, b *bytes.Buffer) error {
	if e := r.http.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return &apiError{code: codeUnsupportedEncoding, detail: "The body must not be compressed: send it without Content-Encoding."}
	}
	if n := r.http.ContentLength; n > 0 && n <= maxKeptBuffer {
		b.Grow(int(n) + bytes.MinRead)
	}
	_, err := b.ReadFrom(http.MaxBytesReader(r.writer, r.http.Body, maxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &apiError{code: codeBodyTooLarge, detail: fmt.Sprintf("The body must be at most %d bytes.", maxBodyBytes)}
	case err != nil:
		return &apiError{code: codeBodyUnreadable, detail: "The body did not arrive completely.", cause: err}
	}
	r.body = b.Bytes()
	return nil
}

// requestID is the client's X-Request-Id where it is fit for logs, else a new one.
func requestID(h http.Header) string {
	if id := h.Get("X-Request-Id"); id != "" && len(id) <= maxRequestIDBytes && isWord(id, "-_.") {
		return id
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	return hex.EncodeToString(b[:])
}

// logRequest writes one line per request: what the cluster failed to do as errors, the rest only at debug level.
func (s *Server) logRequest(r *request, status int, err error, started time.Time) {
	if err == nil && !s.logger.IsDebug() {
		return
	}
	args := []any{"method", r.http.Method, "path", clip(r.http.URL.Path), "status", status, "request_id", r.id,
		"duration", time.Since(started)}
	if err != nil {
		args = append(args, "error", err)
	}
	clientGone := r.http.Context().Err() != nil
	if err != nil && status >= http.StatusInternalServerError && !clientGone {
		s.logger.Error("request failed", args...)
		return
	}
	s.logger.Debug("request", args...)
}
