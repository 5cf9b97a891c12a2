package httpd

import (
	"errors"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// Metrics count what the API of one node has answered since it began; the node that answered a request counts it, whoever
// leads. docs/operations.md says what each family means. No label has a value that a client chooses.
type Metrics struct {
	registry *prometheus.Registry

	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	inFlight    prometheus.Gauge
	connections prometheus.Gauge
	rejected    map[string]prometheus.Counter // by code of the refusal
	slowClients prometheus.Counter
	auth        map[attempt]prometheus.Counter
	tokens      map[string]prometheus.Counter // rejected, by reason
	unknown     prometheus.Counter
	replays     prometheus.Counter

	sent, received, deleted, redelivered, empty prometheus.Counter
	timeInQueue                                 prometheus.Histogram
}

// method is how a caller proves who it is.
type method string

const (
	byNothing  method = ""
	byPassword method = "password"
	byToken    method = "token"
	byAPIKey   method = "api_key"
	byLocal    method = "local" // the secret of the node's data directory
)

// attempt is one proof, good or not.
type attempt struct {
	method method
	ok     bool
}

// NewMetrics registers the families of one server; a registry takes only one. GET /metrics shows all of the registry.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	f := promauto.With(registry)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "fastqueue_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "fastqueue_" + name, Help: help})
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "fastqueue_" + name, Help: help}, labels)
	}
	m := &Metrics{
		registry: registry,
		requests: vector("http_requests_total", "Requests answered. The route of a message request has its Action behind it.", "route", "method", "code"),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fastqueue_http_request_seconds", Help: "From the header of a request to the end of its answer; a receive's wait for messages included.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30},
		}, []string{"route"}),
		inFlight:    gauge("http_in_flight", "Requests that are being answered, waiting receives included."),
		connections: gauge("http_connections", "Connections of clients that are open."),
		unknown:     counter("unknown_outcome_total", "Writes answered with outcome unknown: they may have taken effect."),
		replays:     counter("idempotent_replays_total", "Sends that came again under their Idempotency-Key and were answered as the first time. They stored nothing."),

		sent:        counter("messages_sent_total", "Messages stored, as answered by this node."),
		received:    counter("messages_received_total", "Messages handed out by this node, again or for the first time."),
		deleted:     counter("messages_deleted_total", "Messages deleted by their receivers, as answered by this node."),
		redelivered: counter("messages_redelivered_total", "Messages handed out by this node that had been handed out before."),
		empty:       counter("receive_empty_total", "Receives answered by this node without a message."),
		timeInQueue: f.NewHistogram(prometheus.HistogramOpts{
			Name: "fastqueue_time_in_queue_seconds", Help: "From send to first receive, by the cluster's clock; a delay included.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400},
		}),
	}
	m.resolve(
		vector("http_rejected_total", "Requests refused to protect the node, not for what they ask.", "reason"),
		vector("auth_attempts_total", "Proofs of who a caller is. Those that could not be checked do not count.", "method", "result"),
		vector("tokens_rejected_total", "Tokens and API keys that were not accepted.", "reason"),
	)
	return m
}

// Reasons for which a token is not accepted.
const (
	tokenExpired  = "expired"
	tokenInvalid  = "invalid" // not one of this cluster's, or changed
	tokenRevoked  = "revoked" // logged out, or its user was deleted or has another password
	apiKeyInvalid = "api_key" // an API key that is not there, or not any more
	refreshReused = "reused"  // a refresh token was used a second time: somebody may have stolen it
	refreshEnded  = "refresh" // a refresh token that is not good any more
	authFailed    = "failed"  // result of an attempt
	authOK        = "ok"      // result of an attempt
	slowClient    = "slow_client"
)

// resolve looks up every series of the vectors once, so that no request has to and all of them are there from the start.
func (m *Metrics) resolve(rejected, attempts, tokens *prometheus.CounterVec) {
	m.slowClients = rejected.WithLabelValues(slowClient)
	m.rejected = map[string]prometheus.Counter{
		codeBodyTooLarge:       rejected.WithLabelValues("body_too_large"),
		codeBusy:               rejected.WithLabelValues("busy"),
		cluster.CodeOverloaded: rejected.WithLabelValues("overload"),
		cluster.CodeDiskLow:    rejected.WithLabelValues("disk_low"),
	}
	m.auth = map[attempt]prometheus.Counter{}
	for _, by := range []method{byPassword, byToken, byAPIKey, byLocal} {
		m.auth[attempt{by, true}] = attempts.WithLabelValues(string(by), authOK)
		m.auth[attempt{by, false}] = attempts.WithLabelValues(string(by), authFailed)
	}
	m.tokens = map[string]prometheus.Counter{}
	for _, reason := range []string{tokenExpired, tokenInvalid, tokenRevoked, apiKeyInvalid, refreshReused, refreshEnded} {
		m.tokens[reason] = tokens.WithLabelValues(reason)
	}
}

// proved counts one proof of who a caller is.
func (m *Metrics) proved(by method, ok bool) {
	if c := m.auth[attempt{by, ok}]; c != nil {
		c.Inc()
	}
}

// answered counts what an answer says about the caller and about this node. Passwords are counted where they are checked.
func (m *Metrics) answered(r *request, err error, a answer) {
	if r.proof != byNothing && a.status != http.StatusServiceUnavailable {
		m.proved(r.proof, a.status != http.StatusUnauthorized && !(r.proof == byLocal && a.status == http.StatusForbidden))
	}
	if err == nil {
		return
	}
	if body, ok := a.value.(errorBody); ok && body.Outcome == outcomeUnknown {
		m.unknown.Inc()
	}
	var e *apiError
	if !errors.As(err, &e) {
		return
	}
	if c := m.rejected[e.code]; c != nil {
		c.Inc()
	}
	if e.code == codeBodyUnreadable && errors.Is(err, os.ErrDeadlineExceeded) {
		m.slowClients.Inc()
	}
	if c := m.tokens[rejection(r.proof, e)]; c != nil {
		c.Inc()
	}
}

// rejection is why a token was not accepted; empty when that is not what the error says.
func rejection(by method, e *apiError) string {
	switch {
	case e.code == fsm.CodeRefreshReused:
		return refreshReused
	case e.code == fsm.CodeRefreshInvalid:
		return refreshEnded
	case e.code == codeTokenExpired:
		return tokenExpired
	case e.code != fsm.CodeUnauthenticated:
		return ""
	case by == byAPIKey:
		return apiKeyInvalid
	case by != byToken:
		return ""
	case errors.Is(e, auth.ErrTokenInvalid), errors.Is(e, auth.ErrTokenKey):
		return tokenInvalid
	}
	return tokenRevoked
}

// stored counts the messages of a send that were not refused.
func (m *Metrics) stored(messages []*fsmpb.SentMessage) {
	n := 0
	for _, s := range messages {
		if s.GetError().GetCode() == "" {
			n++
		}
	}
	m.sent.Add(float64(n))
}

// removed counts the messages of a delete that were not refused.
func (m *Metrics) removed(refused []*fsmpb.Error) {
	n := 0
	for _, e := range refused {
		if e.GetCode() == "" {
			n++
		}
	}
	m.deleted.Add(float64(n))
}

// handedOut counts what a receive took.
func (m *Metrics) handedOut(deliveries []*fsmpb.Delivery) {
	if len(deliveries) == 0 {
		m.empty.Inc()
		return
	}
	m.received.Add(float64(len(deliveries)))
	for _, d := range deliveries {
		if d.GetCount() > 1 {
			m.redelivered.Inc()
		} else if d.GetFirstReceiveMs() > 0 {
			m.timeInQueue.Observe(max(0, float64(d.GetFirstReceiveMs()-d.GetMessage().GetSentMs())/1000))
		}
	}
}
