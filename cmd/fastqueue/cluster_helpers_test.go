package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

// Secrets of every test cluster.
const (
	testToken    = "fqj-0123456789abcdefghijklmnopqrstuv"
	testPassword = "correct horse battery staple"
)

// testCluster is a cluster of real processes on this machine.
type testCluster struct {
	t      *testing.T
	binary string
	nodes  []*testNode
	token  string // an access token of the admin
}

// testNode is one node: its directory and addresses, and the process while it runs.
type testNode struct {
	c       *testCluster
	name    string
	dataDir string
	http    string // HOST:PORT
	cluster string // HOST:PORT
	verb    []string
	extra   []string       // further flags
	api     *client.Client // knows this node only
	*process
}

// startCluster starts n nodes: the first founds the cluster, the others join it. It returns when all of them are voters.
func startCluster(t *testing.T, n int, flags ...string) *testCluster {
	t.Helper()
	return startClusterOf(t, plainBinary(t), n, flags...)
}

func startClusterOf(t *testing.T, binary string, n int, flags ...string) *testCluster {
	t.Helper()
	c := newTestCluster(t, binary, n, flags...)
	for i, node := range c.nodes {
		node.verb = []string{"serve"}
		if i > 0 {
			node.verb = []string{"join", c.nodes[0].cluster}
		}
		node.start()
		if i > 0 {
			node.says("joined")
		}
		node.waitReady()
	}
	c.waitVoters(n)
	c.logIn()
	return c
}

// startPeers starts n nodes with one and the same command, which names all of them.
func startPeers(t *testing.T, n int) *testCluster {
	t.Helper()
	c := newTestCluster(t, plainBinary(t), n)
	var peers []string
	for _, node := range c.nodes {
		peers = append(peers, node.cluster)
	}
	for _, node := range c.nodes {
		node.verb = []string{"serve", "--peers", strings.Join(peers, ",")}
		node.start()
	}
	for _, node := range c.nodes {
		node.waitReady()
	}
	c.waitVoters(n)
	c.logIn()
	return c
}

func newTestCluster(t *testing.T, binary string, n int, flags ...string) *testCluster {
	t.Helper()
	c := &testCluster{t: t, binary: binary}
	dir := t.TempDir()
	for i := range n {
		name := fmt.Sprintf("n%d", i)
		node := &testNode{c: c, name: name, dataDir: filepath.Join(dir, name), http: freeAddress(t), cluster: freeAddress(t), extra: flags}
		node.api = c.newClient(client.Config{URLs: []string{node.url()}, Username: "admin", Password: testPassword})
		c.nodes = append(c.nodes, node)
	}
	return c
}

// freeAddress returns a loopback address that nobody listens on. It is not one of those that the kernel gives to outgoing
// connections (32768 and above): another test could take it before the node does.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
}

// start runs the node's command, the same every time.
func (n *testNode) start() {
	n.c.t.Helper()
	args := append(n.verb[:len(n.verb):len(n.verb)],
		"--data-dir", n.dataDir, "--http-addr", n.http, "--cluster-addr", n.cluster, "--node-name", n.name)
	n.process = startProcess(n.c.t, n.name, n.c.binary, testEnv(), append(args, n.extra...))
}

func testEnv() []string {
	return []string{"FASTQUEUE_JOIN_TOKEN=" + testToken, "FASTQUEUE_ADMIN_PASSWORD=" + testPassword}
}

// kill ends the node's process with SIGKILL and waits until it is gone.
func (n *testNode) kill() {
	n.signal(syscall.SIGKILL)
	n.wait()
}

// term asks the node to stop, as a supervisor does.
func (n *testNode) term() { n.signal(syscall.SIGTERM) }

// waitReady waits until the node says that it can serve.
func (n *testNode) waitReady() {
	n.c.t.Helper()
	eventually(n.c.t, n.name+" is ready", func() error {
		if n.ended() {
			n.c.t.Fatalf("%s ended instead of becoming ready: %v", n.name, n.err)
		}
		status, body, err := n.get("/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
}

// get returns status and body of an unauthenticated GET on a connection of its own.
func (n *testNode) get(path string) (int, string, error) {
	h := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := h.Get(n.url() + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, string(body), err
}

func (n *testNode) url() string { return "http://" + n.http }

// client returns a client that knows all nodes and prefers the i-th, modulo their number.
func (c *testCluster) client(i int) *client.Client {
	var urls []string
	for k := range c.nodes {
		urls = append(urls, c.nodes[(i+k)%len(c.nodes)].url())
	}
	return c.newClient(client.Config{URLs: urls, Token: c.token})
}

func (c *testCluster) newClient(config client.Config) *client.Client {
	cl, err := client.New(config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// logIn gets the admin's token, which the clients of client(i) carry.
func (c *testCluster) logIn() {
	c.t.Helper()
	eventually(c.t, "login", func() (err error) {
		c.token, err = c.nodes[0].api.Token(c.t.Context())
		return err
	})
}

// createQueue makes a queue that never refuses a message.
func (c *testCluster) createQueue(name string, visibility time.Duration) {
	c.t.Helper()
	settings := client.QueueSettings{MaxLength: benchQueueLength, VisibilityTimeout: int64(visibility / time.Second)}
	if _, err := c.client(0).CreateQueue(c.t.Context(), name, settings); err != nil {
		c.t.Fatalf("queue %s: %v", name, err)
	}
}

// waitLeader waits until a running node is the leader in the eyes of a majority of all nodes, and returns it.
func (c *testCluster) waitLeader() *testNode {
	c.t.Helper()
	var leader *testNode
	eventually(c.t, "leader", func() error {
		votes := map[string]int{}
		for _, n := range c.nodes {
			if v, err := n.view(); err == nil {
				votes[v.Leader]++
			}
		}
		for _, n := range c.nodes {
			if !n.ended() && votes[n.name] > len(c.nodes)/2 {
				leader = n
				return nil
			}
		}
		return fmt.Errorf("the running nodes name %v", votes)
	})
	return leader
}

// view is the cluster as this node sees it.
func (n *testNode) view() (client.Cluster, error) {
	if n.process == nil || n.ended() {
		return client.Cluster{}, errors.New("not running")
	}
	ctx, cancel := context.WithTimeout(n.c.t.Context(), 2*time.Second)
	defer cancel()
	return n.api.Cluster(ctx)
}

// waitVoters waits until every running node counts n members, all of them voters.
func (c *testCluster) waitVoters(n int) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("%d voters", n), func() error {
		for _, node := range c.nodes {
			if node.process == nil || node.ended() {
				continue
			}
			v, err := node.view()
			if err != nil {
				return err
			}
			voters := 0
			for _, m := range v.Members {
				if m.Voter {
					voters++
				}
			}
			if voters != n || len(v.Members) != n {
				return fmt.Errorf("%s counts %d voters of %d members", node.name, voters, len(v.Members))
			}
		}
		return nil
	})
}

// others returns the nodes other than the given one.
func (c *testCluster) others(than *testNode) []*testNode {
	var rest []*testNode
	for _, n := range c.nodes {
		if n != than {
			rest = append(rest, n)
		}
	}
	return rest
}
