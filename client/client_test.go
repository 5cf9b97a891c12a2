package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// fakeNode answers every request with what the test says, and counts and keeps them.
type fakeNode struct {
	*httptest.Server
	requests atomic.Int64
	last     atomic.Pointer[message]
}

func newFakeNode(t *testing.T, answer http.HandlerFunc) *fakeNode {
	t.Helper()
	n := &fakeNode{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.requests.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var m message
		if json.Unmarshal(body, &m) == nil {
			n.last.Store(&m)
		}
		answer(w, r)
	}))
	t.Cleanup(n.Close)
	return n
}

// says returns a handler that gives the same answer to everything.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // a client that has gone is its own problem
	}
}

// hangsUp returns a handler that closes the connection instead of answering.
func hangsUp() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
}

func newTestClient(t *testing.T, urls ...string) *Client {
	t.Helper()
	c, err := New(Config{URLs: urls, Token: "token"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const sentAnswer = `{"MessageId":"m1","status":"sent"}`

func TestFailOverHappensOnlyWhenItCannotRepeatAnEffect(t *testing.T) {
	refused := `{"detail":"no leader","code":"no_leader","outcome":"not_applied"}`
	unknown := `{"detail":"leader lost","code":"timeout","outcome":"unknown"}`
	silent := `{"detail":"no leader","code":"no_leader"}`
	send := func(c *Client) error { _, err := c.Send(t.Context(), "q", Message{Body: "b"}); return err }
	create := func(c *Client) error { _, err := c.CreateQueue(t.Context(), "q", QueueSettings{}); return err }
	list := func(c *Client) error { _, err := c.Queues(t.Context()); return err }
	transfer := func(to string) func(*Client) error {
		return func(c *Client) error { _, err := c.TransferLeadership(t.Context(), to); return err }
	}
	tests := []struct {
		name      string
		first     http.HandlerFunc
		do        func(*Client) error
		elsewhere bool // the second node is asked
		outcome   Outcome
	}{
		{"send, nothing applied", says(503, refused), send, true, ""},
		{"send, outcome unknown", says(503, unknown), send, true, ""},
		{"send, 503 without an outcome", says(503, silent), send, true, ""},
		{"send, connection lost", hangsUp(), send, true, ""},
		{"send, a proxy's connection lost", says(502, `<html>`), send, true, ""},
		{"send, a proxy's patience lost", says(504, `<html>`), send, true, ""},
		{"create, nothing applied", says(503, refused), create, true, ""},
		{"create, outcome unknown", says(503, unknown), create, false, Unknown},
		{"create, 503 without an outcome", says(503, silent), create, false, Unknown},
		{"create, connection lost", hangsUp(), create, false, Unknown},
		{"create, a proxy's connection lost", says(502, `<html>`), create, false, Unknown},
		{"send, queue full", says(429, `{"code":"queue_full","outcome":"not_applied"}`), send, false, NotApplied},
		{"send, not found", says(404, `{"detail":"Queue not found."}`), send, false, NotApplied},
		{"send, server's fault", says(500, `{"detail":"internal error"}`), send, false, Unknown},
		{"list, 503", says(503, silent), list, true, ""},
		{"list, connection lost", hangsUp(), list, true, ""},
		{"transfer to a member, outcome unknown", says(503, unknown), transfer("n2"), true, ""},
		{"transfer to anybody, outcome unknown", says(503, unknown), transfer(""), false, Unknown},
		{"transfer to anybody, nothing applied", says(503, refused), transfer(""), true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			first := newFakeNode(t, test.first)
			second := newFakeNode(t, says(200, sentAnswer))
			err := test.do(newTestClient(t, first.URL, second.URL))
			if got := second.requests.Load() == 1; got != test.elsewhere {
				t.Errorf("second node asked: %t, want %t", got, test.elsewhere)
			}
			var e *Error
			if test.outcome == "" && err != nil || test.outcome != "" && (!errors.As(err, &e) || e.Outcome != test.outcome) {
				t.Errorf("error %v, want outcome %q", err, test.outcome)
			}
			if n := first.requests.Load(); n != 1 {
				t.Errorf("first node asked %d times, want once", n)
			}
		})
	}
}

func TestANodeThatIsDownIsPassedOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	up := newFakeNode(t, says(200, sentAnswer))
	c := newTestClient(t, down, up.URL)
	for range 2 {
		if id, err := c.Send(t.Context(), "q", Message{Body: "b"}); err != nil || id != "m1" {
			t.Errorf("send: %q, %v", id, err)
		}
	}
	_, err = newTestClient(t, down).Send(t.Context(), "q", Message{Body: "b"})
	var e *Error
	if !errors.As(err, &e) || e.Outcome != NotApplied {
		t.Errorf("send to a node that is down: %v, want outcome not_applied", err)
	}
}

// A node that is about to stop answers with "Connection: close": that answer counts, and the next request goes elsewhere.
func TestANodeThatIsLeavingIsLeft(t *testing.T) {
	leaving := newFakeNode(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		says(200, sentAnswer)(w, r)
	})
	staying := newFakeNode(t, says(200, sentAnswer))
	c := newTestClient(t, leaving.URL, staying.URL)
	for range 3 {
		if _, err := c.Send(t.Context(), "q", Message{Body: "b"}); err != nil {
			t.Error(err)
		}
	}
	if l, s := leaving.requests.Load(), staying.requests.Load(); l != 1 || s != 2 {
		t.Errorf("%d requests went to the node that leaves and %d to the other one, want 1 and 2", l, s)
	}
}

func TestTheTriesOfOneCallHaveOneRequestID(t *testing.T) {
	var ids []string
	refuse := func(w http.ResponseWriter, r *http.Request) {
		ids = append(ids, r.Header.Get("X-Request-Id"))
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"detail":"No leader.","code":"no_leader","outcome":"not_applied","request_id":%q}`, ids[0])
	}
	first, second := httptest.NewServer(http.HandlerFunc(refuse)), httptest.NewServer(http.HandlerFunc(refuse))
	defer first.Close()
	defer second.Close()
	c, err := New(Config{URLs: []string{first.URL, second.URL}, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Send(t.Context(), "q", Message{Body: "x"})
	if len(ids) != 2 || ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("the tries had the ids %q, want two times the same", ids)
	}
	if err == nil || !strings.Contains(err.Error(), ids[0]) {
		t.Errorf("%v does not name the request %s", err, ids[0])
	}
	if _, err = c.Queues(t.Context()); len(ids) != 4 || ids[2] == ids[0] {
		t.Errorf("another call had the ids %q: %v", ids[2:], err)
	}
}

func TestErrorCarriesWhatTheServerSaid(t *testing.T) {
	n := newFakeNode(t, says(429, `{"detail":"The queue is full.","code":"queue_full","request_id":"r1","outcome":"not_applied"}`))
	_, err := newTestClient(t, n.URL).Send(t.Context(), "q", Message{Body: "b"})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	want := Error{Status: 429, Code: "queue_full", Detail: "The queue is full.", Outcome: NotApplied, RetryAfter: 2 * time.Second, RequestID: "r1"}
	if *e != want {
		t.Errorf("error %+v, want %+v", *e, want)
	}
}

func TestARefusedTokenIsRenewedByOneLogin(t *testing.T) {
	var logins atomic.Int64
	n := newFakeNode(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/auth/login":
			logins.Add(1)
			says(200, `{"access_token":"fresh","refresh_token":"x"}`)(w, r)
		case r.Header.Get("Authorization") != "Bearer fresh":
			says(401, `{"detail":"expired","code":"unauthenticated"}`)(w, r)
		default:
			says(200, sentAnswer)(w, r)
		}
	})
	c, err := New(Config{URLs: []string{n.URL}, Username: "ada", Password: "secret password", Token: "stale"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if _, err := c.Send(t.Context(), "q", Message{Body: "b"}); err != nil {
			t.Errorf("send: %v", err)
		}
	}
	if logins.Load() != 1 {
		t.Errorf("%d logins, want 1", logins.Load())
	}
}

func TestMessagesOnTheWire(t *testing.T) {
	n := newFakeNode(t, says(200, sentAnswer))
	c := newTestClient(t, n.URL)
	sent := Message{Body: "b", Delay: 1500 * time.Millisecond, Attributes: map[string]Attribute{
		"plain": StringAttribute("x"), "typed": {DataType: "Number", StringValue: "1"}, "bytes": {DataType: "Binary", BinaryValue: []byte{0, 255}},
	}}
	if _, err := c.Send(t.Context(), "a b", sent); err != nil {
		t.Fatal(err)
	}
	got := n.last.Load()
	if got.Action != "SendMessage" || got.MessageBody != "b" || got.DelaySeconds != 2 || len(got.MessageAttributes) != 3 {
		t.Errorf("sent %+v", got)
	}
	if b := got.MessageAttributes["bytes"]; b.DataType != "Binary" || string(b.BinaryValue) != "\x00\xff" {
		t.Errorf("binary attribute became %+v", b)
	}
	if p := got.MessageAttributes["plain"]; p.DataType != "" || p.StringValue != "x" {
		t.Errorf("plain attribute became %+v", p)
	}
	if _, err := c.Send(t.Context(), "q", Message{Body: "\xff"}); err == nil {
		t.Error("a body that is not UTF-8 was sent; it would arrive changed")
	}
}

func TestBatchResultsStandInTheOrderOfTheEntries(t *testing.T) {
	n := newFakeNode(t, says(200, `{"Successful":[{"Id":"2","MessageId":"m2"},{"Id":"0","MessageId":"m0"}],"Failed":[{"Id":"1","Code":"queue_full","Message":"full"}]}`))
	got, err := newTestClient(t, n.URL).SendBatch(t.Context(), "q", []Message{{Body: "a"}, {Body: "b"}, {Body: "c"}, {Body: "d"}})
	if err != nil || len(got) != 4 {
		t.Fatalf("%v, %v", got, err)
	}
	var full, missing *Error
	if got[0].MessageID != "m0" || got[2].MessageID != "m2" || !errors.As(got[1].Err, &full) || full.Code != "queue_full" {
		t.Errorf("results %+v", got)
	}
	if !errors.As(got[3].Err, &missing) || missing.Outcome != Unknown {
		t.Errorf("an entry that the answer left out: %v, want unknown", got[3].Err)
	}
}

func TestReceiveWaitsLongerThanOtherCalls(t *testing.T) {
	n := newFakeNode(t, func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	c, err := New(Config{URLs: []string{n.URL}, Token: "t", Timeout: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Queues(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the attempt's deadline", err)
	}
	start := time.Now()
	if _, err := c.Receive(t.Context(), "q", ReceiveOptions{Wait: time.Second}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the attempt's deadline", err)
	}
	if waited := time.Since(start); waited < time.Second {
		t.Errorf("gave up after %s, before the server's wait was over", waited)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, urls := range [][]string{nil, {"127.0.0.1:9080"}, {"ftp://x"}, {"http://"}} {
		if _, err := New(Config{URLs: urls}); err == nil {
			t.Errorf("URLs %q were accepted", urls)
		}
	}
	if _, err := newTestClientWithout(t).Queues(t.Context()); err == nil {
		t.Error("a call without credentials succeeded")
	}
	for in, want := range map[string]string{"http://a:1": "http://a:1/v1", "http://a:1/": "http://a:1/v1", "https://a/v1/": "https://a/v1", "http://a/fq": "http://a/fq/v1"} {
		if got, err := baseURL(in); got != want || err != nil {
			t.Errorf("base of %s is %s, %v; want %s", in, got, err, want)
		}
	}
}

func newTestClientWithout(t *testing.T) *Client {
	t.Helper()
	c, err := New(Config{URLs: []string{"http://127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
