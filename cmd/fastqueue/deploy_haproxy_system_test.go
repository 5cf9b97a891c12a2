//go:build system

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/fastqueue/fastqueue/client"
)

// requestsAtKill must be under way at the moment of a kill.
const requestsAtKill = 32

// proxy is HAProxy with deploy/haproxy.cfg in front of a cluster.
type proxy struct {
	*process
	address string
}

// startProxy starts HAProxy on a free port in front of three addresses.
func startProxy(t *testing.T, nodes [3]string) *proxy {
	t.Helper()
	p := &proxy{address: freeAddress(t)}
	config := repositoryFile(t, "deploy/haproxy.cfg")
	// The limit of open files may be low where tests run.
	replace := []string{"bind :9080", "bind " + p.address, "maxconn 20000", "maxconn 1000"}
	for i, address := range nodes {
		replace = append(replace, fmt.Sprintf(" n%d:9080", i+1), " "+address)
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(replace...).Replace(config)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.process = startProcess(t, "haproxy", "haproxy", nil, []string{"-db", "-f", path})
	eventually(t, "HAProxy answers", func() error {
		if p.Ended() {
			t.Fatalf("HAProxy ended: %s", p.Result())
		}
		_, _, err := p.get("/")
		return err
	})
	return p
}

func (p *proxy) url() string { return "http://" + p.address }

// get returns status and body of a GET through the proxy.
func (p *proxy) get(path string) (int, string, error) {
	r, err := (&http.Client{Timeout: patience}).Get(p.url() + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, string(body), err
}

// startProxied starts a cluster and HAProxy in front of it.
func startProxied(t *testing.T) (*testCluster, *proxy) {
	t.Helper()
	c := startCluster(t, 3)
	p := startProxy(t, [3]string{c.nodes[0].HTTP, c.nodes[1].HTTP, c.nodes[2].HTTP})
	eventually(t, "a node is in the rotation", func() error {
		status, body, err := p.get("/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
	return c, p
}

// clientOf makes a client that knows the proxy alone.
func (p *proxy) clientOf(c *testCluster, transport http.RoundTripper) *client.Client {
	return c.newClient(client.Config{URLs: []string{p.url()}, Token: c.Token(), Transport: transport})
}

func TestSystemProxyHidesANodeThatDrains(t *testing.T) {
	c, p := startProxied(t)
	r := newRetries()
	l := startLoadThrough(c, func(_ int, base http.RoundTripper) (*client.Client, error) {
		return p.clientOf(c, r.through(base)), nil
	})
	c.createQueue("quiet", time.Second)
	polls := l.startPolls("quiet", p.clientOf(c, r.through(http.DefaultTransport)))
	l.waitAcknowledged(300, 30)
	leader := c.waitLeader()
	leader.term()
	// The nodes n0 to n2 of a test cluster are n1 to n3 in the file.
	p.says(fmt.Sprintf("Server ready/n%d is DOWN, reason: Layer7 wrong status, code: 503", slices.Index(c.nodes, leader)+1))
	if !leader.Running() {
		t.Error("HAProxy took the node out of the rotation when it had gone")
	}
	if code := leader.wait(); code != 0 {
		t.Errorf("ended with code %d, want 0", code)
	}
	l.waitAcknowledged(300, 30)
	polls()
	l.finish()
	r.check(t)
}

func TestSystemProxyHidesANodeThatDies(t *testing.T) {
	c, p := startProxied(t)
	r := newRetries()
	l := startLoadThrough(c, func(_ int, base http.RoundTripper) (*client.Client, error) {
		return p.clientOf(c, r.through(base)), nil
	})
	l.waitAcknowledged(300, 30)
	killed := c.waitLeader()
	must(t, l.WaitUnderWay(t.Context(), requestsAtKill))
	killed.kill()
	l.waitWriteAfter(time.Now())
	l.waitAcknowledged(300, 30)
	l.finish()
	r.check(t)

	// One node is left, which can't be ready. Requests get its answers all the same.
	before := len(p.Output())
	c.others(killed)[0].kill()
	eventually(t, "HAProxy finds no node ready", func() error {
		if !strings.Contains(p.Output()[before:], "backend 'ready' has no server available") {
			return errors.New("not yet")
		}
		return nil
	})
	if _, err := p.clientOf(c, nil).Cluster(t.Context()); err != nil {
		t.Errorf("the view of a node that is not ready: %v", err)
	}
}

// startPolls keeps long polls waiting on an empty queue until the returned function is called.
func (l *testLoad) startPolls(queue string, api *client.Client) (stop func()) {
	ctx, cancel := context.WithCancel(l.t.Context())
	for range 8 {
		l.Go(func() {
			for ctx.Err() == nil {
				got, err := api.Receive(l.t.Context(), queue, client.ReceiveOptions{Wait: 2 * time.Second})
				if err != nil || len(got) != 0 {
					l.t.Errorf("a poll of an empty queue ended with %v, %v", got, err)
				}
			}
		})
	}
	return cancel
}

// TestSystemProxyEndsThePollOfAClientThatLeft: otherwise the next message would be leased to nobody for as long as the
// queue's visibility timeout.
func TestSystemProxyEndsThePollOfAClientThatLeft(t *testing.T) {
	c, p := startProxied(t)
	c.createQueue("orders", time.Hour)
	api := p.clientOf(c, nil)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := api.Receive(ctx, "orders", client.ReceiveOptions{Wait: 20 * time.Second})
		left <- err
	}()
	// A second poll that has come back proves that the first has begun.
	if _, err := api.Receive(t.Context(), "orders", client.ReceiveOptions{Wait: time.Second}); err != nil {
		t.Fatal(err)
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatalf("the poll ended with %v, before the client left", err)
	}
	if _, err := api.Send(t.Context(), "orders", client.Message{Body: "for somebody who is there"}); err != nil {
		t.Fatal(err)
	}
	got, err := api.Receive(t.Context(), "orders", client.ReceiveOptions{Wait: 10 * time.Second})
	if err != nil || len(got) != 1 {
		t.Errorf("received %v, %v; want the message", got, err)
	}
	for _, path := range []string{"/metrics", "/metrics?queue=a", "/%6detrics"} {
		if status, _, err := p.get(path); err != nil || status != http.StatusForbidden {
			t.Errorf("%s through the proxy: %d, %v; want 403", path, status, err)
		}
	}
}

func TestSystemProxyWithoutNodesSaysThatNothingHappened(t *testing.T) {
	p := startProxy(t, [3]string{freeAddress(t), freeAddress(t), freeAddress(t)})
	r, err := http.Post(p.url()+"/v1/queue/orders", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var body struct {
		Outcome client.Outcome `json:"outcome"`
	}
	if err := json.UnmarshalRead(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusServiceUnavailable || body.Outcome != client.NotApplied || r.Header.Get("Retry-After") != "1" {
		t.Errorf("answered %d %+v, Retry-After %q; want 503, not_applied and 1", r.StatusCode, body, r.Header.Get("Retry-After"))
	}
}
