package httpd

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	// requestTime is how long the cluster may take for one request, beside what a receive waits for messages.
	requestTime = 4 * time.Second
	// maxRequestIDBytes bounds the X-Request-Id of a client.
	maxRequestIDBytes = 128
)

// request is one HTTP request on its way through a handler.
type request struct {
	http   *http.Request
	ctx    context.Context     // ends when the client has gone; carries the id to the other nodes
	writer http.ResponseWriter // for the connection's deadlines only: respond.go writes
	id     string
	params gin.Params  // of the path, as the client wrote them: see param
	queue  string      // {name} of a queue's path
	body   []byte      // good until the handler returns
	held   heldAnswer  // memory that is paid for; reply gives it back
	caller auth.Claims // of a token; zero without one
	apiKey []byte      // SHA-256 of the caller's API key; nil without one
	proof  method      // how the caller says who it is, once that is known; for the metrics
	action string      // of a message request, once it is known

	replayed bool // the answer was given before, to the same request
}

// principal names the caller to the state machine, which decides whether the token or the key is still good.
func (r *request) principal() *fsmpb.Principal {
	if r.apiKey != nil {
		return &fsmpb.Principal{ApiKey: r.apiKey}
	}
	return &fsmpb.Principal{Name: r.caller.Name, User: r.caller.User, Version: r.caller.Version, Family: r.caller.Family}
}

// param is what the path says for a parameter, decoded. It may hold any bytes, and is empty when it can't be decoded.
func (r *request) param(name string) string {
	value, err := url.PathUnescape(r.params.ByName(name))
	if err != nil {
		return ""
	}
	return value
}

// serve wraps a row of the route table: request id, token, limits, recovery, answer and log.
func (s *Server) serve(rt *route) gin.HandlerFunc {
	measure := s.metrics.ofRoute(rt.path, s.actionsOf(rt))
	ofAPI := strings.HasPrefix(rt.path, "/v1/")
	return func(c *gin.Context) {
		started := time.Now()
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		r := &request{http: c.Request, writer: c.Writer, params: c.Params, id: requestID(c.Request.Header)}
		r.ctx, r.queue = cluster.WithRequestID(c.Request.Context(), r.id), r.param("name")
		c.Writer.Header()["X-Request-Id"] = []string{r.id}
		if ofAPI { // tokens, keys and messages are nobody else's, and reads have to be new
			c.Writer.Header()["Cache-Control"] = []string{"no-store"}
		}
		value, err := s.run(rt, r)
		if err != nil {
			discardBody(r)
		}
		a, err := s.reply(c.Writer, rt, r, value, err)
		measure.observe(r.http.Method, r.action, a.status, time.Since(started))
		s.metrics.answered(r, err, a)
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
	if rt.access != public && !(rt.access == adminOrLocal && s.isLocal(r)) {
		if err := s.authenticate(r); err != nil {
			return nil, err
		}
	}
	if rt.kind == write {
		b := s.buffers.get()
		defer s.buffers.put(b)
		body, err := s.readBody(rt, r, b)
		defer body.release()
		if err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(r.ctx, requestTime)
	defer cancel()
	return rt.handler(s, ctx, r)
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
	clientGone := r.ctx.Err() != nil
	if err != nil && status >= http.StatusInternalServerError && !clientGone {
		s.logger.Error("request failed", args...)
		return
	}
	s.logger.Debug("request", args...)
}
