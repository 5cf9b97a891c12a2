package httpd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

var errNoLeader = &cluster.Error{Code: cluster.CodeNoLeader, Detail: "no leader", RetryAfter: 1500 * time.Millisecond}

const testSend = `{"Action":"SendMessage","MessageBody":"x"}`

// TestStatusOfEveryCode proposes into every refusal that the state machine knows.
func TestStatusOfEveryCode(t *testing.T) {
	a := newAPI(t)
	a.undocumented = true // a real node has not every refusal for every request
	for code, status := range map[string]int{
		fsm.CodeInvalid: 400, fsm.CodeUnauthenticated: 401, fsm.CodeForbidden: 403, fsm.CodeUserExists: 409, fsm.CodeUserNotFound: 404,
		fsm.CodeUserChanged: 401, fsm.CodeLastAdmin: 409, fsm.CodeRefreshInvalid: 401, fsm.CodeRefreshReused: 401,
		fsm.CodeQueueExists: 409, fsm.CodeQueueNotFound: 404, fsm.CodeQueueFull: 429, fsm.CodeMessageNotFound: 404,
		fsm.CodeReceiptSuperseded: 404, fsm.CodeLimitReached: 409, fsm.CodeAPIKeyNotFound: 404, fsm.CodeJoinTokenNotFound: 404,
		fsm.CodeMessageNotLeased: 409,
	} {
		a.node.refuse = &fsmpb.Error{Code: code}
		r := a.expectError(a.do("POST", "/v1/queue/q", testSend), status, code)
		if r.text("outcome") != "not_applied" {
			t.Errorf("%s: %s", code, r.body)
		}
		if (r.header.Get("Retry-After") != "") != (status == 429) || (r.header.Get("Www-Authenticate") != "") != (status == 401) {
			t.Errorf("%s: header %v", code, r.header)
		}
		a.node.refuse.Detail = "Three of four places are taken."
		want := a.node.refuse.Detail
		if code == fsm.CodeQueueNotFound || code == fsm.CodeQueueExists {
			want = r.text("detail")
		}
		if r := a.do("POST", "/v1/queue/q", testSend); r.text("detail") != want {
			t.Errorf("%s: detail %q, want %q", code, r.text("detail"), want)
		}
	}
}

// TestNodeErrors: what the cluster could not decide is 503 and says whether it may have happened.
func TestNodeErrors(t *testing.T) {
	a := newAPI(t)
	a.undocumented = true // a real node has not every refusal for every request
	for _, c := range []struct {
		name    string
		err     error
		status  int
		code    string
		outcome string
		retry   string
	}{
		{"no leader", errNoLeader, 503, "no_leader", "not_applied", "2"},
		{"overloaded", &cluster.Error{Code: "overloaded"}, 503, "overloaded", "not_applied", "1"},
		{"timeout", &cluster.Error{Code: "timeout", Unknown: true}, 503, "timeout", "unknown", "1"},
		{"deadline", context.DeadlineExceeded, 503, "timeout", "unknown", "1"},
		{"disk low", &cluster.Error{Code: "disk_low", RetryAfter: 10 * time.Second}, 507, "disk_low", "not_applied", "10"},
		{"disk low, until when is not said", &cluster.Error{Code: "disk_low"}, 507, "disk_low", "not_applied", "1"},
		{"limit", &cluster.Error{Code: "limit_reached"}, 409, "limit_reached", "not_applied", ""},
		{"unknown code", &cluster.Error{Code: "whatever", Detail: "secret", Unknown: true}, 500, "internal", "unknown", ""},
		{"fault", errors.New("secret"), 500, "internal", "unknown", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.node.err = c.err
			for _, body := range []string{testSend, `{"Action":"ReceiveMessage"}`} {
				r := a.expectError(a.do("POST", "/v1/queue/q", body), c.status, c.code)
				if r.text("outcome") != c.outcome || r.header.Get("Retry-After") != c.retry || strings.Contains(r.body, "secret") {
					t.Errorf("%s: %v %s", body, r.header, r.body)
				}
			}
			read := a.expectError(a.do("GET", "/v1/queues", ""), c.status, c.code)
			if _, ok := read.fields["outcome"]; ok {
				t.Errorf("a read has an outcome: %s", read.body)
			}
			login := a.expectError(a.do("POST", "/v1/auth/login", `{"username":"ada","password":"12345678"}`), c.status, c.code)
			if login.text("outcome") != "not_applied" {
				t.Errorf("a failed read before a write: %s", login.body)
			}
		})
	}
}

func TestWrongMethodAndUnknownPath(t *testing.T) {
	a := newAPI(t)
	a.token = ""
	for _, c := range []struct{ method, path, allow string }{
		{"GET", "/v1/auth/login", "POST"},
		{"PUT", "/v1/queues", "POST, GET, HEAD"},
		{"PUT", "/v1/queues/q", "GET, HEAD, DELETE, PATCH"},
		{"POST", "/livez", "GET, HEAD"},
	} {
		r := a.expectError(a.do(c.method, c.path, ""), 405, codeMethodNotAllowed)
		if got := r.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/queues/", "/v1/queue/", "/v1/queue/a/b", "/queues", "/v1//queues", "/V1/queues"} {
		a.expectError(a.do("POST", path, ""), 404, codeNotFound)
	}
}

func TestBodyLimits(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.expectError(a.do("POST", "/v1/queue/q", strings.Repeat(" ", maxBodyBytes+1)), 413, codeBodyTooLarge)
	chunked := httptest.NewRequest("POST", "/v1/queue/q", io.MultiReader(strings.NewReader(strings.Repeat(" ", maxBodyBytes+1))))
	chunked.ContentLength = -1
	chunked.Header.Set("Authorization", "Bearer "+a.token)
	a.expectError(a.send(chunked), 413, codeBodyTooLarge)

	fits := `{"Action":"SendMessage","MessageBody":"` + strings.Repeat(`\u0041`, fsm.MaxMessageBytes) + `"}`
	a.must("POST", "/v1/queue/q", fits)
	long := `{"Action":"SendMessage","MessageBody":"` + strings.Repeat("A", fsm.MaxMessageBytes) + `","MessageAttributes":{"a":""}}`
	a.expectError(a.do("POST", "/v1/queue/q", long), 400, codeMessageTooLong)
	half := strings.Repeat("A", fsm.MaxMessageBytes/2+1)
	batch := `{"Action":"SendMessageBatch","Entries":[{"Id":"1","MessageBody":"` + half + `"},{"Id":"2","MessageBody":"` + half + `"}]}`
	a.expectError(a.do("POST", "/v1/queue/q", batch), 400, codeMessageTooLong)

	packed := httptest.NewRequest("POST", "/v1/queue/q", strings.NewReader(testSend))
	packed.Header.Set("Content-Encoding", "gzip")
	packed.Header.Set("Authorization", "Bearer "+a.token)
	a.expectError(a.send(packed), 415, codeUnsupportedEncoding)
	broken := httptest.NewRequest("POST", "/v1/queue/q", io.MultiReader(strings.NewReader("{"), brokenReader{}))
	broken.Header.Set("Authorization", "Bearer "+a.token)
	a.expectError(a.send(broken), 400, codeBodyUnreadable)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestNothingOfTheAPIIsCached walks through the route table: answers hold tokens, keys and messages, and reads have to be new.
func TestNothingOfTheAPIIsCached(t *testing.T) {
	a := newStateAPI(t)
	bodies := map[string]string{"/v1/auth/register": bobsCredentials, "/v1/auth/login": bobsCredentials, "/v1/auth/api-keys": `{"name":"ci"}`}
	succeeded := 0
	for _, rt := range routes() {
		path := strings.NewReplacer(":name", "nobody", ":id", "1").Replace(rt.path)
		for _, credential := range []string{a.token, ""} {
			a.as(credential, func() {
				r := a.do(rt.method, path, bodies[rt.path])
				want := ""
				if strings.HasPrefix(rt.path, "/v1/") {
					want = "no-store"
				}
				if got := r.header.Get("Cache-Control"); got != want {
					t.Errorf("%s %s: %d with Cache-Control %q, want %q", rt.method, path, r.status, got, want)
				}
				if r.status < 300 && bodies[rt.path] != "" {
					succeeded++
				}
			})
		}
	}
	if succeeded < 4 {
		t.Errorf("only %d answers with secrets or names", succeeded)
	}
	a.node.err = errNoLeader
	if r := a.expectError(a.do("GET", "/v1/queues", ""), 503, "no_leader"); r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("without a leader: %v", r.header)
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	var log bytes.Buffer
	table := []route{{http.MethodPost, "/boom", public, write, 200, func(*Server, context.Context, *request) (any, error) { panic("secret") }, nil}}
	a := newAPIWith(t, table)
	a.server.logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Error})
	r := a.expectError(a.do("POST", "/boom", ""), 500, codeInternal)
	if r.text("outcome") != "unknown" || strings.Contains(r.body, "secret") {
		t.Errorf("answer %s", r.body)
	}
	if !strings.Contains(log.String(), "panic: secret") || !strings.Contains(log.String(), r.text("request_id")) {
		t.Errorf("log %s", log.String())
	}
}

func TestRequestID(t *testing.T) {
	a := newAPI(t)
	for given, kept := range map[string]bool{"": false, "abc-1_2.3": true, "with space": false, "a\"b": false,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false} {
		r := httptest.NewRequest("GET", "/livez", nil)
		r.Header.Set("X-Request-Id", given)
		got := a.send(r).header.Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("X-Request-Id %q became %q", given, got)
		}
	}
}
