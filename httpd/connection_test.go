package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
)

// listening is newAPI with a listener and limits of its own.
func listening(t *testing.T, limits Limits) *api {
	t.Helper()
	a := newAPI(t)
	a.server = newServer(Config{Addr: "127.0.0.1:0", Limits: limits}, a.node, routes())
	if err := a.server.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.server.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	return a
}

// dial opens a connection that can't hang for ever.
func (a *api) dial() net.Conn {
	a.t.Helper()
	conn, err := net.Dial("tcp", a.server.Addr().String())
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		a.t.Fatal(err)
	}
	return conn
}

// sendAll writes a whole request before it reads a byte, as simple clients do, and returns the status and the answer's code.
func (a *api) sendAll(header, body string) (status int, text string) {
	a.t.Helper()
	conn := a.dial()
	if _, err := io.WriteString(conn, header+"\r\n\r\n"+body); err != nil {
		a.t.Fatalf("the server broke off the request: %v", err)
	}
	return a.readAnswer(conn)
}

func (a *api) readAnswer(conn net.Conn) (status int, text string) {
	a.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		a.t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatalf("answer broken off: %v", err)
	}
	return response.StatusCode, string(answer)
}

// TestRefusedBodyIsReadToItsEnd: a client that sends everything before it reads sees why it was refused.
func TestRefusedBodyIsReadToItsEnd(t *testing.T) {
	a := listening(t, Limits{})
	body := strings.Repeat(" ", maxBodyBytes+(4<<20))
	good := "Authorization: Bearer " + a.token
	for _, c := range []struct {
		name, header string
		status       int
		code         string
	}{
		{"too large", "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\n" + good, 413, codeBodyTooLarge},
		{"no token", "POST /v1/queue/q HTTP/1.1\r\nHost: x", 401, fsm.CodeUnauthenticated},
		{"compressed", "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n" + good, 415, codeUnsupportedEncoding},
		{"unknown path", "POST /nothing HTTP/1.1\r\nHost: x", 404, codeNotFound},
		{"wrong method", "PUT /v1/queue/q HTTP/1.1\r\nHost: x", 405, codeMethodNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text := a.sendAll(c.header+fmt.Sprintf("\r\nContent-Length: %d", len(body)), body)
			if status != c.status || !strings.Contains(text, `"code":"`+c.code+`"`) {
				t.Errorf("with a length: %d %s", status, text)
			}
			chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			status, text = a.sendAll(c.header+"\r\nTransfer-Encoding: chunked", chunked)
			if status != c.status || !strings.Contains(text, `"code":"`+c.code+`"`) {
				t.Errorf("in chunks: %d %s", status, text)
			}
		})
	}
}

// TestRefusedBodyIsNotAskedFor: a client that waits for "100 Continue" is refused before it sends anything.
func TestRefusedBodyIsNotAskedFor(t *testing.T) {
	a := listening(t, Limits{})
	status, text := a.sendAll(fmt.Sprintf("POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nAuthorization: Bearer %s\r\nContent-Length: %d",
		a.token, maxBodyBytes+1), "")
	if status != 413 || !strings.Contains(text, codeBodyTooLarge) {
		t.Errorf("got %d %s", status, text)
	}
}

// TestEndlessBodyIsBrokenOff: there is a limit to how much is read to be polite.
func TestEndlessBodyIsBrokenOff(t *testing.T) {
	a := listening(t, Limits{})
	conn := a.dial()
	if _, err := io.WriteString(conn, "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, strings.Repeat(" ", 1<<20))
	sent := 0
	for ; sent < 2*maxDiscardBytes; sent += 1 << 20 {
		if _, err := io.WriteString(conn, chunk); err != nil {
			return
		}
	}
	t.Errorf("the server has read %d bytes of a refused request", sent)
}

// TestBodiesAreBoundedTogether: a body that does not fit beside the others is refused until they are done with.
func TestBodiesAreBoundedTogether(t *testing.T) {
	a := listening(t, Limits{BodyBytes: 1 << 20})
	padded := func(size int) string { return testSend + strings.Repeat(" ", size) }
	full := a.expectError(a.do("POST", "/v1/queue/q", padded(1<<20)), 503, cluster.CodeOverloaded)
	if full.text("outcome") != outcomeNotApplied || full.header.Get("Retry-After") == "" {
		t.Errorf("refused: %v %s", full.header, full.body)
	}
	a.must("POST", "/v1/queue/q", padded(1<<19)) // 1 MiB is taken for it: memory is doubled as the bytes come

	entered, end, ended := make(chan struct{}), make(chan struct{}), make(chan string)
	a.node.onReceive = func(context.Context, time.Duration) {
		close(entered)
		<-end
	}
	go func() { ended <- a.overTheWire(`{"Action":"ReceiveMessage"}` + strings.Repeat(" ", 1<<18)) }()
	<-entered
	a.expectError(a.do("POST", "/v1/queue/q", padded(1<<19)), 503, cluster.CodeOverloaded)
	a.must("POST", "/v1/queue/q", testSend)
	close(end)
	if got := <-ended; got != "HTTP/1.1 200 OK" {
		t.Errorf("the request in progress got %q", got)
	}
	a.must("POST", "/v1/queue/q", padded(1<<19))
	if held := a.server.bodies.held.Load(); held != 0 {
		t.Errorf("%d bytes are held by nobody", held)
	}
}

// TestSlowClients: whoever does not finish a request in time loses the connection, and nobody else does.
func TestSlowClients(t *testing.T) {
	a := listening(t, Limits{ReadHeader: 200 * time.Millisecond, Read: time.Second, Idle: 200 * time.Millisecond})
	t.Run("header", func(t *testing.T) {
		conn := a.dial()
		if _, err := io.WriteString(conn, "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || strings.Contains(string(answer), "200 OK") {
			t.Errorf("answered %q, %v", answer, err)
		}
	})
	t.Run("body", func(t *testing.T) {
		conn := a.dial()
		if _, err := fmt.Fprintf(conn, "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n{", a.token); err != nil {
			t.Fatal(err)
		}
		if status, text := a.readAnswer(conn); status != 400 || !strings.Contains(text, codeBodyUnreadable) || !strings.Contains(text, outcomeNotApplied) {
			t.Errorf("answered %d %s", status, text)
		}
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection goes on: %v", err)
		}
	})
	t.Run("no request", func(t *testing.T) {
		if answer, err := io.ReadAll(a.dial()); err != nil || len(answer) > 0 {
			t.Errorf("answered %q, %v", answer, err)
		}
	})
	t.Run("no further request", func(t *testing.T) {
		conn := a.dial()
		if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") {
			t.Errorf("answered %q, %v", answer, err)
		}
	})
}

// TestConnectionsAreLimited: the next one is served when one ends.
func TestConnectionsAreLimited(t *testing.T) {
	a := listening(t, Limits{Connections: 1})
	first := a.dial()
	request := "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
	if _, err := io.WriteString(first, request); err != nil {
		t.Fatal(err)
	}
	if status, _ := a.readAnswer(first); status != 200 {
		t.Fatalf("the first connection got %d", status)
	}
	second := a.dial() // in the kernel's queue
	if _, err := io.WriteString(second, request); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _ := a.readAnswer(second); status != 200 {
		t.Errorf("the second connection got %d", status)
	}
}

// TestHugeHeaderIsRefused before any handler sees the request, in plain text.
func TestHugeHeaderIsRefused(t *testing.T) {
	a := listening(t, Limits{HeaderBytes: 1 << 10})
	conn := a.dial()
	if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Huge: "+strings.Repeat("x", 5<<10)+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n') // what comes behind it may be lost with the connection
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 431 ") {
		t.Errorf("got %q, %v", line, err)
	}
}

// TestPathsFromHell: whatever stands in a path is a name that does not exist, never a fault.
func TestPathsFromHell(t *testing.T) {
	a := listening(t, Limits{})
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/queues/a%2Fb", "", 404}, {"GET", "/v1/queues/a%252Fb", "", 404}, {"GET", "/v1/queues/%00", "", 404},
		{"GET", "/v1/queues/%ff%fe", "", 404}, {"GET", "/v1/queues/%2e%2e", "", 404}, {"GET", "/v1/queues/..", "", 404},
		{"GET", "/v1/queues/" + strings.Repeat("a", 10_000), "", 404}, {"GET", "/v1/queues/%E2%80%AE", "", 404},
		{"GET", "/v1/queues/q%zz", "", 400}, {"GET", "/v1/queues/q%", "", 400}, {"GET", "/v1/queues/;", "", 404},
		{"GET", "/v1/queues/q?%zz", "", 400}, {"GET", "//v1/queues/q", "", 404}, {"GET", "http://other/v1/queues/q", "", 200},
		{"GET", "/v1/queues/%71", "", 200}, {"POST", "/v1/queue/%71", testSend, 200}, {"POST", "/v1/queue/q%2F", testSend, 404},
		{"GET", "*", "", 404}, {"OPTIONS", "*", "", 200}, {"PATCH", "/v1/auth/users/%ff", `{"role":"user"}`, 404},
		{"DELETE", "/v1/cluster/members/%ff", "", 403}, {"GET", "/v1/auth/api-keys?username=%ff", "", 400},
	} {
		status, text := a.sendAll(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d", c.method, c.path, a.token, len(c.body)), c.body)
		if status != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, clip(c.path), status, text, c.status)
		}
	}
}

// TestRequestIDReachesTheNode, which writes it in the logs of the others.
func TestRequestIDReachesTheNode(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	given := ""
	a.node.onReceive = func(ctx context.Context, _ time.Duration) { given = fmt.Sprint(ctx) } // which shows what it carries
	r := httptest.NewRequest("POST", "/v1/queue/q", strings.NewReader(`{"Action":"ReceiveMessage"}`))
	r.Header.Set("Authorization", "Bearer "+a.token)
	r.Header.Set("X-Request-Id", "mine-1")
	if got := a.send(r); got.status != 200 || !strings.Contains(given, "mine-1") {
		t.Errorf("%d %s, the node was given %q", got.status, got.body, given)
	}
}
