package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

func TestEverythingAcknowledgedIsThereAfterAllNodesWereKilled(t *testing.T) {
	for _, logStore := range []string{"bolt", "wal"} {
		t.Run(logStore, func(t *testing.T) { surviveKillOfAll(t, startCluster(t, 3, "--log-store", logStore)) })
	}
}

func surviveKillOfAll(t *testing.T, c *testCluster) {
	l := startLoad(c)
	l.waitAcknowledged(500, 50)
	for _, n := range c.nodes {
		n.kill()
	}
	for _, n := range c.nodes {
		n.start()
	}
	for _, n := range c.nodes {
		n.waitReady()
	}
	l.waitWriteAfter(time.Now())
	l.finish()
}

func TestWithoutMajorityWritesAreRefusedWithTheirOutcome(t *testing.T) {
	c := startCluster(t, 3)
	c.createQueue("orders", time.Second)
	alone := c.nodes[0]
	for _, n := range c.others(alone) {
		n.kill()
	}
	// The first one may find a leader that has not yet noticed; soon nothing is even proposed.
	eventually(t, "a send is refused without having been proposed", func() error {
		start := time.Now()
		_, err := alone.API().Send(t.Context(), "orders", client.Message{Body: "hello"})
		took := time.Since(start)
		var e *client.Error
		if !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable {
			t.Fatalf("send without a majority: %v, want 503", err)
		}
		t.Logf("refused after %s: %v, outcome %s", took.Round(time.Millisecond), e, e.Outcome)
		if e.RetryAfter <= 0 {
			t.Errorf("no Retry-After with %v", e)
		}
		// The promise is 5 s; ten times that is the line between slow and hanging.
		if took > 50*time.Second {
			t.Errorf("the refusal took %s", took)
		}
		if e.Outcome != client.NotApplied {
			return e
		}
		return nil
	})
	alone.waitUnready()
	c.nodes[1].start()
	c.nodes[1].waitReady()
	eventually(t, "a send succeeds with two of three nodes", func() error {
		_, err := c.client(0).Send(t.Context(), "orders", client.Message{Body: "hello again"})
		return err
	})
}

func TestWipedFirstNodeComesBackIntoItsCluster(t *testing.T) {
	c := startPeers(t, 3)
	c.createQueue("orders", time.Second)
	if _, err := c.client(0).Send(t.Context(), "orders", client.Message{Body: "before"}); err != nil {
		t.Fatal(err)
	}
	before, err := c.nodes[1].API().Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wiped := c.nodes[0]
	wiped.kill()
	if err := os.RemoveAll(wiped.DataDir); err != nil {
		t.Fatal(err)
	}
	wiped.start()
	wiped.waitReady()
	c.waitVoters(3)
	after, err := wiped.API().Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.ClusterID != before.ClusterID || len(after.Members) != 3 {
		t.Errorf("the wiped node is in cluster %s of %d members, want %s of 3", after.ClusterID, len(after.Members), before.ClusterID)
	}
	got, err := wiped.API().Receive(t.Context(), "orders", client.ReceiveOptions{Max: 10})
	if err != nil || len(got) != 1 || got[0].Body != "before" {
		t.Errorf("received %+v, %v; want the message sent before", got, err)
	}
	// The cluster must be able to lose another node now.
	c.nodes[1].kill()
	eventually(t, "a send succeeds after losing another node", func() error {
		_, err := c.client(0).Send(t.Context(), "orders", client.Message{Body: "after"})
		return err
	})
}

// TestEachRequestOnADifferentNode makes each step of a user's first minute on another node than the step before: none may
// be refused for what one node has not heard of yet.
func TestEachRequestOnADifferentNode(t *testing.T) {
	c := startCluster(t, 3)
	for i := range 100 {
		if err := firstMinute(t.Context(), c, i); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}

func firstMinute(ctx context.Context, c *testCluster, round int) error {
	user, queue := fmt.Sprintf("user%d", round), fmt.Sprintf("queue%d", round)
	clientOf := func(node int, token string) *client.Client {
		return c.newClient(client.Config{URLs: []string{c.nodes[(round+node)%3].URL()}, Username: user, Password: testPassword, Token: token})
	}
	if err := clientOf(0, "").Register(ctx, user, testPassword); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	token, err := clientOf(1, "").Token(ctx)
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	if _, err := clientOf(2, token).CreateQueue(ctx, queue, client.QueueSettings{}); err != nil {
		return fmt.Errorf("create queue: %w", err)
	}
	if _, err := clientOf(0, token).Send(ctx, queue, client.Message{Body: "hello"}); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	got, err := clientOf(1, token).Receive(ctx, queue, client.ReceiveOptions{})
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if len(got) != 1 {
		return fmt.Errorf("received %d messages, want the one just sent", len(got))
	}
	if err := clientOf(2, token).Delete(ctx, queue, got[0].ReceiptHandle); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

func TestAddressesAndNamesAreCheckedAtStart(t *testing.T) {
	binary := plainBinary(t)
	tests := []struct {
		name  string
		flags []string
		want  string // in the one line that explains the refusal
	}{
		{"wildcard cluster address", []string{"--cluster-addr", "0.0.0.0:0"}, "--advertise-cluster"},
		{"wildcard API address", []string{"--http-addr", "0.0.0.0:0"}, "--advertise-http"},
		{"wildcard in IPv6", []string{"--cluster-addr", "[::]:0"}, "--advertise-cluster"},
		{"unknown log store", []string{"--log-store", "paper"}, "bolt"},
		{"unknown log format", []string{"--log-format", "xml"}, "json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defaults := []string{"serve", "--data-dir", t.TempDir(), "--http-addr", freeAddress(t), "--cluster-addr", freeAddress(t)}
			refusal(t, startProcess(t, "serve", binary, testEnv(), append(defaults, test.flags...)), test.want)
		})
	}
}

// refusal waits until a process has ended with an error whose last line holds the given text.
func refusal(t *testing.T, p *process, want string) {
	t.Helper()
	code := p.wait()
	lines := strings.Split(strings.TrimSpace(p.Output()), "\n")
	if code <= 0 || !strings.Contains(lines[len(lines)-1], want) {
		t.Errorf("ended with code %d, want an error; last line %q, want %q in it", code, lines[len(lines)-1], want)
	}
}
