package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/load"
)

const loadWorkers = 64

// testLoad is clients that send, receive and delete at random through all nodes of a cluster, for a test.
type testLoad struct {
	*load.Load
	t *testing.T
	c *testCluster
}

// startLoad makes a queue and starts the workers.
func startLoad(c *testCluster) *testLoad {
	c.t.Helper()
	return startLoadThrough(c, nil)
}

// startLoadThrough is startLoad with a client of the caller's for each worker.
func startLoadThrough(c *testCluster, clientOf func(worker int, base http.RoundTripper) (*client.Client, error)) *testLoad {
	c.t.Helper()
	real, err := load.Start(c.t.Context(), c.Cluster, load.Options{Seed: 1, Plain: loadWorkers, Clients: clientOf, Note: c.t.Logf})
	must(c.t, err)
	c.t.Cleanup(real.Stop)
	return &testLoad{real, c.t, c}
}

// finish stops the workers, drains the queue completely, and finds every broken promise.
func (l *testLoad) finish() {
	l.t.Helper()
	must(l.t, l.Finish(l.t.Context()))
	findings, undecided := l.History().Findings()
	for _, broken := range findings {
		l.t.Error(broken)
	}
	if len(undecided) > 0 {
		l.t.Errorf("undecided: %q", undecided)
	}
}

// waitAcknowledged waits until so many more sends and deletes were acknowledged.
func (l *testLoad) waitAcknowledged(sends, deletes int) {
	l.t.Helper()
	must(l.t, l.WaitAcknowledged(l.t.Context(), sends, deletes))
}

// waitWriteAfter waits until a send that began after the given time was acknowledged.
func (l *testLoad) waitWriteAfter(after time.Time) {
	l.t.Helper()
	must(l.t, l.WaitWriteAfter(l.t.Context(), after))
}
