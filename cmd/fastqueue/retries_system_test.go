//go:build system

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/fastqueue/fastqueue/client"
)

// retryPause is how long a client waits when the answer does not say: as long as a node's Retry-After asks for.
const retryPause = time.Second

// retries carries requests as a client should: it makes each one again, once, after a pause, when it failed. A second one can do
// no harm: sends have a key. It counts what failed all the same.
type retries struct {
	begin time.Time

	mu       sync.Mutex
	requests int
	again    int      // how many were made a second time
	failed   []string // what failed the second time
}

func newRetries() *retries {
	return &retries{begin: time.Now()}
}

// retrying carries requests through base; a retries counts them.
type retrying struct {
	*retries
	base http.RoundTripper
}

// through makes retries of requests that base carries.
func (r *retries) through(base http.RoundTripper) http.RoundTripper { return retrying{r, base} }

// outcome is what one attempt came to.
type outcome struct {
	response *http.Response // with its body read into memory; nil when err is set
	err      error
	failed   bool
	unknown  bool // failed, and may have had an effect
}

func (o outcome) String() string {
	if o.err != nil {
		return o.err.Error()
	}
	return o.response.Status
}

// RoundTrip carries one request.
func (r retrying) RoundTrip(request *http.Request) (*http.Response, error) {
	action := actionOf(request)
	first := r.attempt(request)
	if !first.failed {
		r.count(false, "")
		return first.response, first.err
	}
	pause(request.Context(), first.retryAfter())
	second := r.attempt(request)
	failure := ""
	if second.failed {
		failure = r.describe(action, first, second)
	}
	r.count(true, failure)
	if first.unknown && (second.failed || second.response.StatusCode == http.StatusNotFound) {
		return nil, errors.New("the first attempt may have had an effect") // which is what the history has to know
	}
	return second.response, second.err
}

// retryAfter is how long to wait before another attempt.
func (o outcome) retryAfter() time.Duration {
	if o.err != nil || o.response.Header.Get("Retry-After") == "" {
		return retryPause
	}
	d, err := time.ParseDuration(o.response.Header.Get("Retry-After") + "s")
	if err != nil {
		return retryPause
	}
	return d
}

func (r retrying) attempt(request *http.Request) outcome {
	request = request.Clone(request.Context())
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return outcome{err: err}
		}
		request.Body = body
	}
	response, err := r.base.RoundTrip(request)
	if err != nil {
		return outcome{err: err, failed: true, unknown: true}
	}
	body, err := io.ReadAll(response.Body)
	if closeErr := response.Body.Close(); err != nil || closeErr != nil {
		return outcome{err: errors.Join(err, closeErr), failed: true, unknown: true}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if response.StatusCode < http.StatusInternalServerError {
		return outcome{response: response}
	}
	var told struct {
		Outcome client.Outcome `json:"outcome"`
	}
	err = json.Unmarshal(body, &told)
	return outcome{response: response, failed: true, unknown: err != nil || told.Outcome != client.NotApplied}
}

// actionOf is the action that a request asks for, else its method and path.
func actionOf(request *http.Request) string {
	var asked struct{ Action string }
	if request.GetBody != nil {
		if body, err := request.GetBody(); err == nil && json.UnmarshalRead(body, &asked) == nil && asked.Action != "" {
			return asked.Action
		}
	}
	return request.Method + " " + request.URL.Path
}

func (r *retries) describe(action string, attempts ...outcome) string {
	return fmt.Sprintf("%s, %s after the beginning: %v", action, time.Since(r.begin).Round(time.Millisecond), attempts)
}

func (r *retries) count(again bool, failed string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	if again {
		r.again++
	}
	if failed != "" {
		r.failed = append(r.failed, failed)
	}
}

// check wants no failure.
func (r *retries) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("%d requests, %d made a second time, %d failed", r.requests, r.again, len(r.failed))
	for _, f := range r.failed {
		t.Error("failed twice: " + f)
	}
}
