package load

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/history"
)

// connectionsPerNode is how many idle connections are kept to each node.
const connectionsPerNode = 256

// recorder carries the requests of all workers and records the receives that failed, also those that a client tries again.
// Of all requests it counts those that failed, by the node that was asked.
type recorder struct {
	*http.Transport
	history *history.History

	mu     sync.Mutex
	failed map[string]int // by its address, as in nodes.Node.URL
}

func newRecorder(h *history.History) *recorder {
	t := &http.Transport{MaxIdleConnsPerHost: connectionsPerNode, IdleConnTimeout: time.Minute}
	return &recorder{Transport: t, history: h, failed: map[string]int{}}
}

// receivingFrom is the key of a context's value: the queue from which its requests receive.
type receivingFrom struct{}

func withQueue(ctx context.Context, queue string) context.Context {
	return context.WithValue(ctx, receivingFrom{}, queue)
}

// RoundTrip carries one request.
func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	start := time.Now()
	response, err := r.Transport.RoundTrip(request)
	if err == nil && response.StatusCode < http.StatusInternalServerError {
		return response, nil
	}
	r.count(request.URL.Scheme + "://" + request.URL.Host)
	if queue, ok := request.Context().Value(receivingFrom{}).(string); ok {
		r.history.AddFailure(&history.Failure{Span: history.Span{Start: start, End: time.Now()}, Queue: queue})
	}
	return response, err
}

func (r *recorder) count(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed[node]++
}

// failedExcept is how many requests failed so far that were made to others than a node.
func (r *recorder) failedExcept(node string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for asked, failures := range r.failed {
		if asked != node {
			n += failures
		}
	}
	return n
}
