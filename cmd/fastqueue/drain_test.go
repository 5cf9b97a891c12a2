package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

const testDrainTime = 3 * time.Second

// TestSigtermDrains stops the leader as a supervisor does, under load: it answers until its drain time is over, no request
// fails for clients that know the other nodes, and the next leader goes on.
func TestSigtermDrains(t *testing.T) {
	c := startCluster(t, 3, "--drain-time", testDrainTime.String())
	c.createQueue("aside", time.Second)
	l := startLoad(c)
	l.waitAcknowledged(200, 20)
	leader := c.waitLeader()
	leader.term()
	leader.waitUnready()
	checkAnswersWithClose(t, leader)
	if code := leader.wait(); code != 0 {
		t.Errorf("ended with code %d, want 0", code)
	}
	l.waitWriteAfter(time.Now())
	l.finish()
	if unknown := l.History().UnknownSends(); unknown > 0 {
		t.Errorf("%d sends with an unknown outcome: nothing may be in flight when leadership moves", unknown)
	}
}

// checkAnswersWithClose sends a request to a draining node: it is answered, and the connection is not kept.
func checkAnswersWithClose(t *testing.T, n *testNode) {
	t.Helper()
	body := strings.NewReader(`{"Action":"SendMessage","MessageBody":"while draining"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL()+"/v1/queue/aside", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+n.c.Token())
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Errorf("request to the draining node: %v", err)
		return
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !answer.Close {
		t.Errorf("the draining node answered %d %s, close %t, %v; want 200 and Connection: close", answer.StatusCode, text, answer.Close, err)
	}
}

// A node that is elected again late in a long drain time has the whole limit to hand over once more.
func TestEachHandOverOfADrainHasTheWholeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, calls := time.Now(), 0
		drainFor(3*handOverLimit, func(ctx context.Context) {
			calls++
			if end, _ := ctx.Deadline(); ctx.Err() != nil || time.Until(end) != handOverLimit {
				t.Fatalf("call %d, after %s, has %s", calls, time.Since(began), time.Until(end))
			}
		})
		if length := time.Since(began); length != 3*handOverLimit || calls < 100 {
			t.Errorf("%d calls in %s", calls, length)
		}
	})
}

func TestLongPollsEndEmptyWhenTheNodeDrains(t *testing.T) {
	c := startCluster(t, 3, "--drain-time", testDrainTime.String())
	c.createQueue("quiet", time.Second)
	n := c.nodes[1]
	type result struct {
		got []client.Delivery
		err error
	}
	polled := make(chan result, 1)
	begin := time.Now()
	go func() {
		got, err := n.API().Receive(t.Context(), "quiet", client.ReceiveOptions{Wait: 20 * time.Second})
		polled <- result{got, err}
	}()
	// The poll must be parked before the signal comes; a second poll that has come back proves that the first has begun.
	if _, err := n.API().Receive(t.Context(), "quiet", client.ReceiveOptions{Wait: time.Second}); err != nil {
		t.Fatal(err)
	}
	n.term()
	select {
	case r := <-polled:
		if r.err != nil || len(r.got) != 0 {
			t.Errorf("the poll ended with %v, %v; want empty", r.got, r.err)
		}
	case <-time.After(patience):
		t.Error("the poll goes on")
	}
	t.Logf("the poll of 20 s ended after %s", time.Since(begin).Round(time.Millisecond))
	if code := n.wait(); code != 0 {
		t.Errorf("ended with code %d, want 0", code)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	c := startCluster(t, 1, "--drain-time", "10m")
	n := c.nodes[0]
	n.term()
	n.waitUnready()
	n.term()
	n.wait()
}
