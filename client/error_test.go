package client

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// closedAddress is the base address of a node that is down.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return "http://" + l.Addr().String()
}

// When no node helps, the error is the one of them that says why, wherever it stands in the list.
func TestTheAnswerThatSaysMostIsReturned(t *testing.T) {
	noLeader := func(detail string) string {
		return newFakeNode(t, says(503, `{"detail":"`+detail+`","code":"no_leader","outcome":"not_applied"}`)).URL
	}
	down, up := closedAddress(t), noLeader("none here")
	tests := []struct {
		name      string
		urls      []string
		status    int
		asked     int
		unreached int
		says      string
	}{
		{"an answer before silence", []string{up, down}, 503, 2, 1, "none here"},
		{"an answer behind silence", []string{down, up}, 503, 2, 1, "1 of 2 nodes could not be reached"},
		{"an answer between silences", []string{down, up, down}, 503, 3, 2, "2 of 3 nodes could not be reached"},
		{"the last of several", []string{up, noLeader("nor there"), down}, 503, 3, 1, "nor there"},
		{"silence only", []string{down, closedAddress(t)}, 0, 2, 2, "none of the 2 nodes could be reached"},
		{"answers only", []string{up, up}, 503, 2, 0, "none here"},
		{"one node", []string{down}, 0, 1, 1, "refused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := newTestClient(t, test.urls...).Send(t.Context(), "q", Message{Body: "b"})
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Status != test.status || e.Asked != test.asked || e.Unreached != test.unreached || e.Outcome != NotApplied || !strings.Contains(e.Error(), test.says) {
				t.Errorf("%#v: %v; want status %d, %d of %d not reached, and %q", e, err, test.status, test.unreached, test.asked, test.says)
			}
			if told := strings.Contains(err.Error(), "could "); told != (test.unreached > 0 && test.asked > 1) {
				t.Errorf("%v: says of nodes that could not be reached: %t", err, told)
			}
		})
	}
}

// A repeatable request that one node may have carried out is not called without effect because another node refused it.
func TestARefusalDoesNotHideAnUnknownOutcome(t *testing.T) {
	silent := newFakeNode(t, hangsUp())
	refusing := newFakeNode(t, says(503, `{"detail":"no leader","code":"no_leader","outcome":"not_applied"}`))
	c := newTestClient(t, silent.URL, refusing.URL)
	if err := c.ChangeVisibility(t.Context(), "q", "h", time.Second); OutcomeOf(err) != Unknown {
		t.Errorf("a change that may have happened: %v, want outcome unknown", err)
	}
	if _, err := c.Queues(t.Context()); OutcomeOf(err) != NotApplied {
		t.Errorf("a list: %v, want outcome not_applied: reading has no effect", err)
	}
}

// Patience goes on when the answer that is returned is not the last one.
func TestPatienceLastsBesideANodeThatIsDown(t *testing.T) {
	up := newFakeNode(t, says(503, `{"detail":"no leader","code":"no_leader","outcome":"not_applied"}`))
	c, err := New(Config{URLs: []string{up.URL, closedAddress(t)}, Token: "token", Patience: 250 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Send(t.Context(), "q", Message{Body: "b"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != 503 || up.requests.Load() < 2 {
		t.Errorf("after %d requests: %v; want several rounds and the refusal", up.requests.Load(), err)
	}
}
