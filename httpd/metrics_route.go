package httpd

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// routeMetrics are the counters of one row of the route table. Looking a series up by its labels costs as much as half a
// router, so each is looked up when it is first needed and kept.
type routeMetrics struct {
	row     callMetrics
	actions map[string]*callMetrics // of the row that takes an Action, by its name
}

// callMetrics are the counters of what has one value of the label route.
type callMetrics struct {
	route    string
	seconds  prometheus.Observer
	requests *prometheus.CounterVec

	mu    sync.Mutex                    // held to add to known
	known atomic.Pointer[[]callCounter] // few; copied when one is added
}

// callCounter counts the answers with one status to one method.
type callCounter struct {
	method string
	status int
	count  prometheus.Counter
}

// ofRoute makes the counters of a row. Actions, if any, get values of their own: how long a send takes could not be told
// from how long receives wait otherwise.
func (m *Metrics) ofRoute(path string, actions map[string]handler) *routeMetrics {
	if path == "" {
		path = "none"
	}
	rm := &routeMetrics{actions: map[string]*callMetrics{}}
	m.ofCall(&rm.row, patternOf(path))
	for action := range actions {
		c := &callMetrics{}
		m.ofCall(c, patternOf(path)+" "+action)
		rm.actions[action] = c
	}
	return rm
}

func (m *Metrics) ofCall(c *callMetrics, route string) {
	c.route, c.requests, c.seconds = route, m.requests, m.seconds.WithLabelValues(route)
	c.known.Store(&[]callCounter{})
}

// patternOf writes a path of the route table as the documents do, with {name} for :name.
func patternOf(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// observe counts one answer. action is empty where none was recognised.
func (rm *routeMetrics) observe(method, action string, status int, took time.Duration) {
	c := &rm.row
	if of := rm.actions[action]; of != nil {
		c = of
	}
	c.counter(methodLabel(method), status).Inc()
	c.seconds.Observe(took.Seconds())
}

func (c *callMetrics) counter(method string, status int) prometheus.Counter {
	if known := find(*c.known.Load(), method, status); known != nil {
		return known
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := *c.known.Load()
	if known := find(all, method, status); known != nil {
		return known
	}
	added := callCounter{method, status, c.requests.WithLabelValues(c.route, method, strconv.Itoa(status))}
	all = append(all[:len(all):len(all)], added)
	c.known.Store(&all)
	return added.count
}

func find(all []callCounter, method string, status int) prometheus.Counter {
	for i := range all {
		if all[i].status == status && all[i].method == method {
			return all[i].count
		}
	}
	return nil
}

// methodLabel bounds the values of the label: a client may send any word as a method.
func methodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
