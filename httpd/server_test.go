package httpd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// open starts a server on a free port.
func open(t *testing.T, n *fakeNode) *Server {
	t.Helper()
	s := New(Config{Addr: "127.0.0.1:0"}, n)
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestServerAnswersUntilItIsClosed(t *testing.T) {
	n := newFakeNode()
	s := open(t, n)
	url := "http://" + s.Addr().String() + "/livez"
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != `{"status":"alive"}`+"\n" || response.ContentLength != int64(len(body)) {
		t.Errorf("answered %s (%d bytes said), %v", body, response.ContentLength, err)
	}
	if err := errors.Join(response.Body.Close(), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("a closed server answers")
	}
	select {
	case err := <-s.Failed():
		t.Errorf("Close counts as a failure: %v", err)
	default:
	}
}

func TestBusyPortIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := New(Config{Addr: l.Addr().String()}, newFakeNode()).Open(); err == nil || !strings.Contains(err.Error(), "http listener") {
		t.Fatalf("Open: %v", err)
	}
}

// waiting opens a server on which one request waits for messages, and returns how to end its wait.
func waiting(t *testing.T) (a *api, status chan string, release func()) {
	t.Helper()
	a = newAPI(t)
	a.server.addr = "127.0.0.1:0"
	if err := a.server.Open(); err != nil {
		t.Fatal(err)
	}
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	entered, end := make(chan struct{}), make(chan struct{})
	a.node.onReceive = func(context.Context, time.Duration) {
		close(entered)
		<-end
	}
	status = make(chan string, 1)
	go func() { status <- a.overTheWire(`{"Action":"ReceiveMessage","WaitTimeSeconds":20}`) }()
	<-entered
	return a, status, func() { close(end) }
}

func TestCloseWaitsForRequests(t *testing.T) {
	a, status, release := waiting(t)
	closed := make(chan error, 1)
	go func() { closed <- a.server.Close(t.Context()) }()
	for { // until the listener is closed
		conn, err := net.Dial("tcp", a.server.Addr().String())
		if err != nil {
			break
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-closed:
		t.Fatalf("Close returned with a request in progress: %v", err)
	default:
	}
	release()
	if got := <-status; got != "HTTP/1.1 200 OK" {
		t.Errorf("the request in progress got %q", got)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	a, status, release := waiting(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.server.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	if got := <-status; strings.Contains(got, "200") {
		t.Errorf("the request in progress got %q", got)
	}
	release()
}

// overTheWire sends a message request on a connection of its own and returns the status line.
func (a *api) overTheWire(body string) string {
	conn, err := net.Dial("tcp", a.server.Addr().String())
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", a.token, len(body), body)
	if err != nil {
		return err.Error()
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	a.check(exchange{"POST", "/v1/queue/q", []byte(body), response.StatusCode, response.Header, answer})
	return response.Proto + " " + response.Status
}

// TestGoneClientEndsItsWait: a client that hangs up ends the wait at the node.
func TestGoneClientEndsItsWait(t *testing.T) {
	a := newAPI(t)
	a.server.addr = "127.0.0.1:0"
	if err := a.server.Open(); err != nil {
		t.Fatal(err)
	}
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	entered, ended := make(chan struct{}), make(chan error, 1)
	a.node.onReceive = func(ctx context.Context, _ time.Duration) {
		close(entered)
		<-ctx.Done()
		ended <- context.Cause(ctx)
	}
	conn, err := net.Dial("tcp", a.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	body := `{"Action":"ReceiveMessage","WaitTimeSeconds":20}`
	_, err = fmt.Fprintf(conn, "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", a.token, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the wait ended with %v", err)
	}
	if err := a.server.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}
