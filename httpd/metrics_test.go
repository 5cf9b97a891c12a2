package httpd

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// shown is every value that the server shows, by its name and labels as the text format writes them.
func (a *api) shown() map[string]float64 {
	a.t.Helper()
	families, err := a.server.metrics.registry.Gather()
	if err != nil {
		a.t.Fatal(err)
	}
	p, err := encodeMetrics(families, false)
	if err != nil {
		a.t.Fatal(err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(p.body)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndex(line, " ")
		var v float64
		if _, err := fmt.Sscan(line[at:], &v); err != nil {
			a.t.Fatalf("%s: %v", line, err)
		}
		values[strings.TrimPrefix(line[:at], "fastqueue_")] = v
	}
	return values
}

// moved does something and checks by how much values move. Those of a family that is named and not listed must not move.
func (a *api) moved(family string, want map[string]float64, do func()) {
	a.t.Helper()
	before := a.shown()
	do()
	after := a.shown()
	for name, v := range after {
		if !strings.HasPrefix(name, family) || strings.Contains(name, "_bucket{") || strings.Contains(name, "_sum") {
			continue
		}
		if got := v - before[name]; got != want[name] {
			a.t.Errorf("%s moved by %v, want %v", name, got, want[name])
		}
	}
	for name := range want {
		if _, ok := after[name]; !ok {
			a.t.Errorf("there is no %s", name)
		}
	}
}

func TestMetricsOfRequests(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	requests := func(route, method string, code int) string {
		return fmt.Sprintf("http_requests_total{code=\"%d\",method=%q,route=%q}", code, method, route)
	}
	seconds := func(route string) string { return fmt.Sprintf("http_request_seconds_count{route=%q}", route) }
	a.moved("http_request", map[string]float64{
		requests("/v1/queues", "GET", 200):                    2,
		requests("/v1/queues", "HEAD", 200):                   1,
		requests("/v1/queues", "POST", 409):                   1,
		requests("/v1/queues/{name}", "DELETE", 404):          2,
		requests("none", "GET", 404):                          2,
		requests("none", "other", 404):                        2,
		requests("none", "other", 405):                        1,
		requests("/v1/queue/{name} SendMessage", "POST", 200): 2,
		requests("/v1/queue/{name} SendMessage", "POST", 400): 1,
		requests("/v1/queue/{name}", "POST", 400):             1,
		seconds("/v1/queues"):                                 4, seconds("/v1/queues/{name}"): 2, seconds("none"): 5,
		seconds("/v1/queue/{name} SendMessage"): 3, seconds("/v1/queue/{name}"): 1,
	}, func() {
		a.must("GET", "/v1/queues", "")
		a.must("GET", "/v1/queues", "")
		a.do("HEAD", "/v1/queues", "")
		a.do("POST", "/v1/queues", `{"name":"q"}`)
		for _, name := range []string{"a", "b"} {
			a.do("DELETE", "/v1/queues/"+name, "")
			a.do("GET", "/"+name, "")
			a.do("BREW"+name, "/"+name, "")
		}
		a.do("BREW", "/v1/queues", "")
		a.must("POST", "/v1/queue/q", testSend)
		a.must("POST", "/v1/queue/q", testSend)
		a.do("POST", "/v1/queue/q", `{"Action":"SendMessage"}`)
		a.do("POST", "/v1/queue/q", `{"Action":"Brew"}`)
	})
}

func TestMetricsOfConnections(t *testing.T) {
	a, status, release := waiting(t)
	for name, want := range map[string]float64{"http_connections": 1, "http_in_flight": 1} {
		if got := a.shown()[name]; got != want {
			t.Errorf("while one request waits %s is %v, want %v", name, got, want)
		}
	}
	release()
	<-status
	if err := a.server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for _, name := range []string{"http_connections", "http_in_flight"} {
		for a.shown()[name] != 0 { // a request ends behind its answer
			if time.Now().After(deadline) {
				t.Fatalf("after the end %s is %v", name, a.shown()[name])
			}
			runtime.Gosched()
		}
	}
}

func TestMetricsOfMessages(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q","max_length":3,"visibility_timeout":30}`)
	a.moved("messages_", map[string]float64{"messages_sent_total": 3}, func() {
		a.must("POST", "/v1/queue/q", testSend)
		a.must("POST", "/v1/queue/q", `{"Action":"SendMessageBatch","Entries":[{"Id":"a","MessageBody":"x"},{"Id":"b","MessageBody":"y"},{"Id":"full","MessageBody":"z"}]}`)
		a.expectError(a.do("POST", "/v1/queue/q", testSend), 429, fsm.CodeQueueFull)
	})
	a.node.advance(7 * time.Second)
	var first string
	a.moved("messages_", map[string]float64{"messages_received_total": 3}, func() {
		first = handle(t, a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`))
		a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","MaxNumberOfMessages":10}`)
	})
	if v := a.shown(); v["time_in_queue_seconds_count"] != 3 || v["time_in_queue_seconds_sum"] != 21 {
		t.Errorf("%v messages waited %v seconds together, want 3 and 21", v["time_in_queue_seconds_count"], v["time_in_queue_seconds_sum"])
	}
	a.moved("receive_empty_total", map[string]float64{"receive_empty_total": 1}, func() {
		a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`)
	})
	a.moved("messages_", map[string]float64{"messages_deleted_total": 1}, func() {
		a.must("POST", "/v1/queue/q", fmt.Sprintf(`{"Action":"DeleteMessage","ReceiptHandle":%q}`, first))
		a.expectError(a.do("POST", "/v1/queue/q", fmt.Sprintf(`{"Action":"DeleteMessage","ReceiptHandle":%q}`, first)), 404, fsm.CodeMessageNotFound)
	})
	a.node.advance(time.Minute)
	a.moved("time_in_queue_seconds", nil, func() {
		a.moved("messages_", map[string]float64{"messages_received_total": 2, "messages_redelivered_total": 2, "messages_deleted_total": 1}, func() {
			again := handle(t, a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`))
			a.must("POST", "/v1/queue/q", fmt.Sprintf(`{"Action":"ReceiveMessage","DeleteReceiptHandles":[%q,"made up"]}`, again))
		})
	})
}

func attempts(by method, result string) string {
	return fmt.Sprintf("auth_attempts_total{method=%q,result=%q}", by, result)
}

func rejectedToken(reason string) string {
	return fmt.Sprintf("tokens_rejected_total{reason=%q}", reason)
}

func TestMetricsOfPasswordsAndRefreshTokens(t *testing.T) {
	a := register(t)
	var pair reply
	a.moved("auth_", map[string]float64{attempts(byPassword, "ok"): 1, attempts(byPassword, "failed"): 3}, func() {
		pair = a.login()
		a.do("POST", "/v1/auth/login", `{"username":"bob","password":"wrong horse"}`)
		a.do("POST", "/v1/auth/delete", `{"username":"nobody","password":"correct horse"}`)
		a.do("POST", "/v1/auth/change-password", `{"username":"bob","old_password":"wrong horse","new_password":"12345678"}`)
		a.do("POST", "/v1/auth/login", `{"username":"bob"}`) // proves nothing
	})
	refresh := func(token string) { a.do("POST", "/v1/auth/refresh", `{"refresh_token":"`+token+`"}`) }
	a.moved("tokens_", map[string]float64{rejectedToken(refreshReused): 1}, func() {
		refresh(pair.text("refresh_token"))
		a.node.advance(time.Hour)
		refresh(pair.text("refresh_token"))
	})
	a.moved("tokens_", map[string]float64{rejectedToken(refreshEnded): 1}, func() { refresh(pair.text("refresh_token")) })
}

func TestMetricsOfTokens(t *testing.T) {
	a := newStateAPI(t)
	good := a.token
	look := func(token string, status int) {
		t.Helper()
		a.token = token
		if r := a.do("GET", "/v1/queues", ""); r.status != status {
			t.Errorf("%.12s: %d %s, want %d", token, r.status, r.body, status)
		}
	}
	a.moved("auth_", map[string]float64{attempts(byToken, "ok"): 2, attempts(byToken, "failed"): 3}, func() {
		a.moved("tokens_", map[string]float64{rejectedToken(tokenInvalid): 1, rejectedToken(tokenRevoked): 1, rejectedToken(tokenExpired): 1}, func() {
			look(good, 200)
			look("", 401) // no proof at all
			look("not.a.token", 401)
			look(a.tokenFor(&fsmpb.User{Id: 77, Name: "gone", Version: 1, Role: "user"}), 401)
			a.token = good
			a.do("POST", "/v1/queues", `{"name":7}`) // the proof was good
			a.node.advance(time.Hour)
			look(good, 401)
		})
	})
}

// oneSecret is a LocalSecret.
type oneSecret string

func (s oneSecret) Use(secret string) bool { return string(s) == secret }

func TestMetricsOfAPIKeysAndLocalSecrets(t *testing.T) {
	a := newStateAPIWith(t, Config{LocalSecret: oneSecret("s3cret")})
	key := a.must("POST", "/v1/auth/api-keys", `{"name":"k"}`).text("key")
	a.moved("auth_", map[string]float64{attempts(byAPIKey, "ok"): 1, attempts(byAPIKey, "failed"): 2}, func() {
		a.moved("tokens_", map[string]float64{rejectedToken(apiKeyInvalid): 2}, func() {
			for _, text := range []string{key, "fqk_short", "fqk_" + strings.Repeat("A", 43)} {
				a.token = text
				a.do("GET", "/v1/queues", "")
			}
		})
	})
	a.moved("auth_", map[string]float64{attempts(byLocal, "ok"): 1, attempts(byLocal, "failed"): 2}, func() {
		for _, from := range []struct{ remote, secret string }{{"127.0.0.1:4", "s3cret"}, {"127.0.0.1:4", "wrong"}, {"192.0.2.7:4", "s3cret"}} {
			r := httptest.NewRequest("POST", "/v1/auth/reset-password", strings.NewReader(`{"username":"admin","new_password":"correct horse"}`))
			r.RemoteAddr = from.remote
			r.Header.Set("Authorization", "Local "+from.secret)
			a.send(r)
		}
	})
}

func TestMetricsOfRefusalsThatProtectTheNode(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	for _, test := range []struct {
		reason string
		err    error
	}{
		{"overload", &cluster.Error{Code: cluster.CodeOverloaded}},
		{"disk_low", &cluster.Error{Code: cluster.CodeDiskLow}},
	} {
		a.node.err = test.err
		a.moved("http_rejected", map[string]float64{fmt.Sprintf("http_rejected_total{reason=%q}", test.reason): 1}, func() {
			a.do("POST", "/v1/queue/q", testSend)
		})
	}
	a.node.err = nil
	a.moved("http_rejected", map[string]float64{`http_rejected_total{reason="body_too_large"}`: 1}, func() {
		a.expectError(a.do("POST", "/v1/queue/q", strings.Repeat(" ", maxBodyBytes+1)), 413, codeBodyTooLarge)
	})
	a.moved("http_rejected", map[string]float64{`http_rejected_total{reason="busy"}`: 1}, func() {
		a.server.metrics.answered(&request{}, &apiError{code: codeBusy}, answer{status: 429})
	})
	a.moved("http_rejected", nil, func() { a.do("POST", "/v1/queue/q", `{"Action":"Brew"}`) })
}

// TestMetricsOfSlowClients: a body that does not come in time is counted, one whose client hangs up is not.
func TestMetricsOfSlowClients(t *testing.T) {
	a := newAPI(t)
	a.server.addr, a.server.http.Read = "127.0.0.1:0", 50*time.Millisecond
	if err := a.server.Open(); err != nil {
		t.Fatal(err)
	}
	a.moved("http_rejected", map[string]float64{`http_rejected_total{reason="slow_client"}`: 1}, func() {
		conn, err := net.Dial("tcp", a.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\n{", a.token)
		buffer := make([]byte, 1)
		if _, err := conn.Read(buffer); err != nil { // until it is answered, or given up
			t.Logf("no answer: %v", err)
		}
		if err := a.server.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMetricsOfUnknownOutcomes(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.moved("unknown_outcome", map[string]float64{"unknown_outcome_total": 1}, func() {
		a.node.err = &cluster.Error{Code: cluster.CodeTimeout, Unknown: true}
		a.do("POST", "/v1/queue/q", testSend)
		a.do("GET", "/v1/queues", "") // changes nothing
		a.node.err = &cluster.Error{Code: cluster.CodeNoLeader}
		a.do("POST", "/v1/queue/q", testSend)
	})
}

func TestMetricNamesFollowTheRules(t *testing.T) {
	a := newAPI(t)
	a.must("GET", "/v1/queues", "")
	problems, err := testutil.GatherAndLint(a.server.metrics.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestMethodsAreBounded: every word is a method on the wire.
func TestMethodsAreBounded(t *testing.T) {
	if got := methodLabel("BREW"); got != "other" {
		t.Errorf("BREW is %q", got)
	}
	if got := methodLabel(http.MethodPatch); got != "PATCH" {
		t.Errorf("PATCH is %q", got)
	}
}

// BenchmarkMetricsOfASend is what counting adds to one send.
func BenchmarkMetricsOfASend(b *testing.B) {
	s := New(Config{}, newFakeNode())
	measure := s.metrics.ofRoute(messagePath, s.actions)
	r := &request{proof: byToken, action: "SendMessage"}
	a := answer{status: http.StatusOK, value: sentMessage{}}
	sent := []*fsmpb.SentMessage{{Sequence: 9}}
	b.ReportAllocs()
	for b.Loop() {
		s.metrics.inFlight.Inc()
		s.metrics.stored(sent)
		measure.observe(http.MethodPost, r.action, a.status, time.Millisecond)
		s.metrics.answered(r, nil, a)
		s.metrics.inFlight.Dec()
	}
}
