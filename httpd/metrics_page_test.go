package httpd

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// scrape asks for the metrics from an address, to an address of this node.
func (a *api) scrape(query, from, to string, header ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	r := httptest.NewRequest("GET", "/metrics"+query, nil)
	r.RemoteAddr = from
	local, err := net.ResolveTCPAddr("tcp", to)
	if err != nil {
		a.t.Fatal(err)
	}
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.server.Handler().ServeHTTP(w, r)
	return w
}

const (
	here      = "127.0.0.1:9080"
	fromHere  = "127.0.0.1:50000"
	address   = "192.0.2.1:9080"
	elsewhere = "192.0.2.7:50000"
)

func TestWhoMayReadMetrics(t *testing.T) {
	a := newStateAPI(t)
	key := a.must("POST", "/v1/auth/api-keys", `{"name":"prometheus"}`).text("key")
	a.node.err = &cluster.Error{Code: cluster.CodeNoLeader} // nobody else is asked
	deleted := a.tokenFor(&fsmpb.User{Id: 77, Name: "gone", Version: 1, Role: "user"})
	for _, test := range []struct {
		name, from, to string
		header         []string
		want           int
	}{
		{"the same machine", fromHere, here, nil, 200},
		{"the same machine, IPv6", "[::1]:50000", "[::1]:9080", nil, 200},
		{"a proxy on the same machine", fromHere, here, []string{"X-Forwarded-For", "192.0.2.7"}, 401},
		{"a proxy on the same machine, RFC 7239", fromHere, here, []string{"Forwarded", "for=192.0.2.7"}, 401},
		{"a proxy on the same machine, Via", fromHere, here, []string{"Via", "1.1 x"}, 401},
		{"another machine", elsewhere, address, nil, 401},
		{"the same machine by its other address", address, address, nil, 401},
		{"another machine that says it is this one", fromHere, address, nil, 401},
		{"a token", elsewhere, address, []string{"Authorization", "Bearer " + a.token}, 200},
		{"an API key", elsewhere, address, []string{"X-API-Key", key}, 200},
		{"an API key as Prometheus sends it", elsewhere, address, []string{"Authorization", "Bearer " + key}, 200},
		{"an API key through a proxy", fromHere, here, []string{"X-Forwarded-For", "192.0.2.7", "X-API-Key", key}, 200},
		{"the token of a deleted user", elsewhere, address, []string{"Authorization", "Bearer " + deleted}, 401},
		{"an API key that nobody has", elsewhere, address, []string{"X-API-Key", "fqk_" + strings.Repeat("A", 43)}, 401},
	} {
		if w := a.scrape("", test.from, test.to, test.header...); w.Code != test.want {
			t.Errorf("%s: %d %.200s, want %d", test.name, w.Code, w.Body, test.want)
		}
	}
	a.server.metricsOpen = true
	if w := a.scrape("", elsewhere, address); w.Code != 200 {
		t.Errorf("open to all: %d %s", w.Code, w.Body)
	}
}

// TestMetricsOfANodeWithoutState: it can check nobody, and still answers its own machine.
func TestMetricsOfANodeWithoutState(t *testing.T) {
	a := newAPI(t)
	none := &cluster.Error{Code: cluster.CodeNoLeader}
	a.node.err, a.node.staleErr, a.node.keysErr = none, none, none
	if w := a.scrape("", fromHere, here); w.Code != 200 {
		t.Errorf("the same machine gets %d %s", w.Code, w.Body)
	}
	for _, credential := range []string{a.token, "fqk_" + strings.Repeat("A", 43)} {
		if w := a.scrape("", elsewhere, address, "Authorization", "Bearer "+credential); w.Code != 503 {
			t.Errorf("%.8s from elsewhere gets %d %s", credential, w.Code, w.Body)
		}
	}
}

// TestMetricsOverTheWire: the default of every tool that reads metrics, on a real connection.
func TestMetricsOverTheWire(t *testing.T) {
	s := open(t, newFakeNode())
	defer s.Close(t.Context())
	response, err := http.Get("http://" + s.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 || !strings.Contains(string(body), "\nfastqueue_http_in_flight 1\n") {
		t.Errorf("%d %v %.300s", response.StatusCode, err, body)
	}
	if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Errorf("Content-Type %q", got)
	}
	if !response.Uncompressed { // Go's client asks for gzip by itself
		t.Error("the answer was not compressed")
	}
}

func TestMetricsAreCompressedOnlyWhenAskedFor(t *testing.T) {
	a := newAPI(t)
	for accepts, want := range map[string]string{"": "", "gzip": "gzip", "deflate, gzip;q=0.5": "gzip", "gzip; q=0": "", "identity": ""} {
		w := a.scrape("", fromHere, here, "Accept-Encoding", accepts)
		if got := w.Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q gets %q, want %q", accepts, got, want)
		}
		body := io.Reader(w.Body)
		if want == "gzip" {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		text, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(text), "fastqueue_http_in_flight 1\n") {
			t.Errorf("Accept-Encoding %q: %v, %.100s", accepts, err, text)
		}
	}
}

// queueNames is a collector with one gauge for each queue that matches.
type queueNames struct {
	names []string
	match func(string) bool
}

func (q queueNames) Describe(chan<- *prometheus.Desc) {}

func (q queueNames) Collect(out chan<- prometheus.Metric) {
	for _, n := range q.names {
		if q.match(n) {
			d := prometheus.NewDesc("fastqueue_queue_messages", "", nil, prometheus.Labels{"queue": n})
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, 1)
		}
	}
}

func TestMetricsOfSomeQueues(t *testing.T) {
	a := newAPI(t)
	a.server.queueMetrics = func(match func(string) bool) prometheus.Collector {
		return queueNames{[]string{"orders-1", "orders-2", "invoices"}, match}
	}
	for glob, want := range map[string]string{
		"orders-*": `{queue="orders-1"} 1 {queue="orders-2"} 1`, "*": `{queue="invoices"} 1 {queue="orders-1"} 1 {queue="orders-2"} 1`,
		"orders-[2-9]": `{queue="orders-2"} 1`, "invoices": `{queue="invoices"} 1`, "invoice": "",
	} {
		w := a.scrape("?queue="+url.QueryEscape(glob), fromHere, here)
		var got []string
		for line := range strings.Lines(w.Body.String()) {
			if rest, ok := strings.CutPrefix(line, "fastqueue_"); ok {
				got = append(got, strings.TrimPrefix(strings.TrimSpace(rest), "queue_messages"))
			}
		}
		if w.Code != 200 || strings.Join(got, " ") != want {
			t.Errorf("%s: %d %s, want %s", glob, w.Code, strings.Join(got, " "), want)
		}
	}
	for _, bad := range []string{"", "[", "a\\", strings.Repeat("x", maxGlobBytes+1)} {
		if w := a.scrape("?queue="+url.QueryEscape(bad), fromHere, here); w.Code != 400 || !strings.Contains(w.Body.String(), "orders-*") {
			t.Errorf("%q: %d %s", bad, w.Code, w.Body)
		}
	}
}

// TestMetricsAreReadOneAtATime: others wait, and are refused in the end.
func TestMetricsAreReadOneAtATime(t *testing.T) {
	a := newAPI(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	a.server.scraping <- struct{}{}
	r := httptest.NewRequest("GET", "/metrics", nil)
	a.server.metricsOpen = true
	if _, err := a.server.showMetrics(ctx, &request{http: r, ctx: ctx}); !hasCode(err, codeBusy) {
		t.Errorf("a second reader gets %v", err)
	}
	<-a.server.scraping
	if _, err := a.server.showMetrics(t.Context(), &request{http: r, ctx: ctx}); err != nil {
		t.Errorf("the next reader gets %v", err)
	}
}
