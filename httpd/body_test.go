package httpd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
)

// countedBody counts what is read of a body.
type countedBody struct {
	io.Reader
	read int
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

// TestOnlyMessagesHaveBigBodies walks through the route table.
func TestOnlyMessagesHaveBigBodies(t *testing.T) {
	a := newStateAPI(t)
	for _, rt := range routes() {
		if rt.kind != write || rt.path == messagePath {
			continue
		}
		path := strings.NewReplacer(":name", "nobody", ":id", "1").Replace(rt.path)
		for _, length := range []int64{-1, 0} { // in chunks, and with its length
			for size, refused := range map[int]bool{maxSmallBodyBytes: false, maxSmallBodyBytes + 1: true} {
				r := httptest.NewRequest(rt.method, path, strings.NewReader(strings.Repeat(" ", size)))
				r.ContentLength += length * (r.ContentLength + 1)
				r.Header.Set("Authorization", "Bearer "+a.token)
				if got := a.send(r); (got.status == 413) != refused || refused && !strings.Contains(got.body, "65536 bytes") {
					t.Errorf("%s %s with %d bytes, length %d: %d %s", rt.method, path, size, r.ContentLength, got.status, got.body)
				}
			}
		}
	}
}

// TestUnknownAPIKeyBringsNoBigBody: anybody can make up a key, so that a big body is not taken before the key is looked up.
func TestUnknownAPIKeyBringsNoBigBody(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	known := a.server.node.(*stateNode)
	_, key := a.createKey("ci")
	old := &laggingNode{known, newStateAPI(t).server.node.(*stateNode)} // whose state has no key
	for _, c := range []struct {
		name, key string
		node      Node
		noLeader  bool
		size      int
		chunked   bool
		status    int
		code      string
		most      int // bytes that are read
	}{
		{"known", key, known, false, 1 << 20, false, 200, "", 1 << 20},
		{"known, in chunks", key, known, false, 1 << 20, true, 200, "", 1 << 20},
		{"known, without a leader to ask", key, known, true, 1 << 20, false, 200, "", 1 << 20},
		{"known to the leader", key, old, false, 1 << 20, false, 200, "", 1 << 20},
		{"perhaps known to a leader", key, old, true, 1 << 20, false, 503, cluster.CodeNoLeader, 0},
		{"made up", "fqk_" + strings.Repeat("A", 43), known, false, 1 << 20, false, 401, fsm.CodeUnauthenticated, 0},
		{"made up, in chunks", "fqk_" + strings.Repeat("A", 43), known, false, 1 << 20, true, 401, fsm.CodeUnauthenticated, maxSmallBodyBytes},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.server.node, a.node.err = c.node, nil
			if c.noLeader {
				a.node.err = errNoLeader
			}
			body := &countedBody{Reader: strings.NewReader(testSend + strings.Repeat(" ", c.size-len(testSend)))}
			r := httptest.NewRequest("POST", "/v1/queue/q", body)
			r.ContentLength = int64(c.size)
			if c.chunked {
				r.ContentLength = -1
			}
			r.Header.Set("X-Api-Key", c.key)
			r.Header.Set("Expect", "100-continue") // else what is refused is read all the same, to be forgotten
			got := a.send(r)
			if got.status != c.status || got.text("code") != c.code || body.read > c.most {
				t.Errorf("%d %s after %d bytes, want %d %s after at most %d", got.status, got.body, body.read, c.status, c.code, c.most)
			}
		})
	}
	if held, strangers := a.server.bodies.held.Load(), a.server.bodies.strangers.Load(); held != 0 || strangers != 0 {
		t.Errorf("held by nobody: %d bytes, %d of strangers", held, strangers)
	}
}

// stuckBody is a body of which the last byte does not come until the test ends it.
type stuckBody struct {
	io.Reader
	once  sync.Once
	stuck func()
	end   <-chan struct{}
}

func (b *stuckBody) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err == nil {
		return n, nil
	}
	b.once.Do(b.stuck)
	<-b.end
	return 0, io.ErrUnexpectedEOF
}

// TestStrangersDoNotShutOutUsers: whoever has proved nothing gets a part of the memory for bodies, and the others the rest.
func TestStrangersDoNotShutOutUsers(t *testing.T) {
	a := newStateAPIWith(t, Config{Limits: Limits{BodyBytes: 1 << 20}})
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	_, key := a.createKey("ci")
	madeUp := "fqk_" + strings.Repeat("A", 43)
	end, ended := make(chan struct{}), sync.WaitGroup{}
	stop := sync.OnceFunc(func() { close(end); ended.Wait() })
	defer stop()
	stuck := make(chan struct{}, 1)
	for i := range 4 {
		r := httptest.NewRequest("POST", "/v1/auth/login", &stuckBody{stuck: func() { stuck <- struct{}{} }, end: end,
			Reader: strings.NewReader(strings.Repeat(" ", maxSmallBodyBytes-1))})
		if i%2 == 0 {
			r.URL.Path = "/v1/queue/q"
			r.Header.Set("X-Api-Key", madeUp)
		}
		r.ContentLength = maxSmallBodyBytes
		ended.Go(func() { a.server.Handler().ServeHTTP(httptest.NewRecorder(), r) })
		<-stuck
	}
	if strangers := a.server.bodies.strangers.Load(); strangers != 4*maxSmallBodyBytes {
		t.Errorf("%d bytes are held for strangers", strangers)
	}
	a.as("", func() { a.expectError(a.do("POST", "/v1/auth/login", bobsCredentials), 503, cluster.CodeOverloaded) })
	a.as(madeUp, func() { a.expectError(a.do("POST", "/v1/queue/q", testSend), 401, fsm.CodeUnauthenticated) })
	a.must("POST", "/v1/queue/q", testSend)
	a.as(key, func() { a.must("POST", "/v1/queue/q", testSend+strings.Repeat(" ", 1<<19-len(testSend)-1)) })
	stop()
	a.as("", func() { a.expectError(a.do("POST", "/v1/auth/login", bobsCredentials), 401, codeInvalidCredentials) })
	if held, strangers := a.server.bodies.held.Load(), a.server.bodies.strangers.Load(); held != 0 || strangers != 0 {
		t.Errorf("held by nobody: %d bytes, %d of strangers", held, strangers)
	}
}

// TestMemoryIsPaidForBeforeItIsTaken: what a request announces is not taken before it comes, and what comes not before the
// budget has it.
func TestMemoryIsPaidForBeforeItIsTaken(t *testing.T) {
	for _, c := range []struct {
		declared, sent int64
		max            int64 // of the budget
		held           int64
		err            error
	}{
		{0, 0, 100, 1, nil},
		{99, 99, 100, 100, nil},
		{100, 100, 100, 0, errBodiesFull},
		{64 << 10, 0, 1 << 20, firstBodyBytes, nil},
		{64 << 10, firstBodyBytes, 1 << 20, 2 * firstBodyBytes, nil},
		{-1, 10_000, 1 << 20, 4 * firstBodyBytes, nil},
		{1 << 20, 1 << 20, 1 << 19, 1 << 19, errBodiesFull},
		{-1, 1 << 20, 1 << 19, 1 << 19, errBodiesFull},
		{-1, maxBodyBytes, 16 << 20, maxBodyBytes, nil},
		{-1, maxBodyBytes + 1, 16 << 20, maxBodyBytes, errBodyTooLarge},
		{maxBodyBytes + 1, 0, 16 << 20, 0, errBodyTooLarge},
	} {
		t.Run(fmt.Sprint(c.declared, c.sent), func(t *testing.T) {
			budget := &bodyBudget{max: c.max}
			body := &heldBody{budget: budget, proved: true}
			var b bytes.Buffer
			err := body.read(io.LimitReader(strings.NewReader(strings.Repeat("x", int(c.sent))), c.sent), &b, c.declared, maxBodyBytes)
			if !errors.Is(err, c.err) || err == nil && int64(b.Len()) != c.sent {
				t.Errorf("read %d bytes: %v, want %v", b.Len(), err, c.err)
			}
			if held := budget.held.Load(); held != c.held || int64(b.Cap()) > max(held*5/4, 64) {
				t.Errorf("%d bytes are paid for, want %d; %d are taken", held, c.held, b.Cap())
			}
			body.release()
			if held := budget.held.Load(); held != 0 {
				t.Errorf("%d bytes are held by nobody", held)
			}
		})
	}
}
