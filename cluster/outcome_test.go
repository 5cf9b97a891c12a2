package cluster

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// logBuffer keeps what a node logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// line returns the first line with all the words.
func (l *logBuffer) line(words ...string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return line
		}
	}
	return ""
}

func TestTheLeadersLogNamesTheClientsRequest(t *testing.T) {
	t.Parallel()
	logs := map[string]*logBuffer{name(0): {}, name(1): {}}
	c := newTestCluster(t, "bolt", 2, func(c *Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: logs[c.NodeName]})
	})
	c.createQueue(0, "q")
	leader := c.leader()
	via := 1 - leader
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	sender := "sender=" + c.nodes[via].ID()
	log := logs[name(leader)]
	if _, err := c.nodes[via].Propose(WithRequestID(ctx, "id-send"), sendCommand("q", "job")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.nodes[via].Receive(WithRequestID(ctx, "id-receive"), receiveCommand("q", 1), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := c.nodes[via].Read(WithRequestID(ctx, "id-read"), &fsmpb.Query{Op: &fsmpb.Query_GetUser{GetUser: &fsmpb.GetUser{Name: "admin"}}}); err != nil {
		t.Fatal(err)
	}
	for id, kind := range map[string]string{"id-send": "propose", "id-receive": "receive", "id-read": "read"} {
		if log.line("request_id="+id, "request="+kind, sender, "outcome=ok") == "" {
			t.Errorf("the leader's log has no line about %s", id)
		}
		if logs[name(via)].line("request_id="+id) != "" {
			t.Errorf("%s was handled by a node that does not lead", id)
		}
	}

	// A refusal for overload is told at info, and comes back as not applied with a time to try again.
	l := c.nodes[leader].replica.Load().leadership.Load()
	l.writes.mu.Lock()
	l.writes.bytes += maxQueuedBytes
	l.writes.mu.Unlock()
	for _, i := range []int{leader, via} {
		_, err := c.nodes[i].Propose(WithRequestID(ctx, "id-overload-"+name(i)), sendCommand("q", "job"))
		failure, ok := err.(*Error)
		if !ok || failure.Code != CodeOverloaded || failure.Unknown || failure.RetryAfter != time.Second {
			t.Errorf("a send through %s to an overloaded leader: %+v", name(i), err)
		}
		if log.line("[INFO]", "request_id=id-overload-"+name(i), "outcome=overloaded") == "" {
			t.Errorf("the leader's log does not say that it refused a request of %s", name(i))
		}
	}
	l.writes.mu.Lock()
	l.writes.bytes -= maxQueuedBytes
	l.writes.mu.Unlock()
}

func TestFailuresDoNotFloodTheLog(t *testing.T) {
	var l logLimit
	now := time.Unix(1_700_000_000, 0)
	passed := 0
	for range 1_000 {
		if ok, _ := l.pass(now); ok {
			passed++
		}
	}
	if passed != maxFailureLines {
		t.Errorf("%d of 1,000 lines passed in a second", passed)
	}
	if ok, skipped := l.pass(now.Add(time.Second)); !ok || skipped != 1_000-maxFailureLines {
		t.Errorf("a second later: %v, %d left out", ok, skipped)
	}
	if ok, skipped := l.pass(now.Add(time.Second)); !ok || skipped != 0 {
		t.Errorf("the next line: %v, %d left out", ok, skipped)
	}
}

func TestWithoutALeaderAReadNamesTheOtherKind(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, nil)
	leader := c.leader()
	c.stop(1 - leader)
	eventually(t, "the leader to step down", func() bool { return c.nodes[leader].replica.Load().leader() == "" })
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	query := &fsmpb.Query{Op: &fsmpb.Query_GetUser{GetUser: &fsmpb.GetUser{Name: "admin"}}}
	_, err := c.nodes[leader].Read(ctx, query)
	if failure, ok := err.(*Error); !ok || failure.Code != CodeNoLeader || !strings.Contains(failure.Detail, "?consistency=stale") {
		t.Errorf("a read without a leader: %v", err)
	}
	_, err = c.nodes[leader].Propose(ctx, sendCommand("q", "job"))
	if failure, ok := err.(*Error); !ok || strings.Contains(failure.Detail, "stale") {
		t.Errorf("a write without a leader: %v", err)
	}
	if result, err := c.nodes[leader].ReadStale(query); err != nil || result.GetUser().GetName() != "admin" {
		t.Errorf("a stale read without a leader: %v, %v", result, err)
	}
	v := c.nodes[leader].Cluster()
	if !strings.HasPrefix(v.Summary, "No leader. ") {
		t.Errorf("the summary is %q", v.Summary)
	}
}
