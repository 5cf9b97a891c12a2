package main

import (
	"slices"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const testPassword = nodes.AdminPassword

func testEnv() []string { return nodes.Environment() }

// testCluster is a cluster of real processes for a test, which fails where the cluster does.
type testCluster struct {
	*nodes.Cluster
	t     *testing.T
	nodes []*testNode
}

// testNode is one of its nodes.
type testNode struct {
	*nodes.Node
	c *testCluster
}

// startCluster starts n nodes: the first founds the cluster, the others join it. It returns when all of them are voters.
func startCluster(t *testing.T, n int, flags ...string) *testCluster {
	t.Helper()
	return startClusterOf(t, plainBinary(t), n, flags...)
}

func startClusterOf(t *testing.T, binary string, n int, flags ...string) *testCluster {
	t.Helper()
	c := newTestCluster(t, binary, n, flags...)
	must(t, c.Open(t.Context()))
	return c
}

// startPeers starts n nodes with one and the same command, which names all of them.
func startPeers(t *testing.T, n int) *testCluster {
	t.Helper()
	c := newTestCluster(t, plainBinary(t), n)
	must(t, c.OpenPeers(t.Context()))
	return c
}

// newTestCluster prepares n nodes, which are not started.
func newTestCluster(t *testing.T, binary string, n int, flags ...string) *testCluster {
	t.Helper()
	real, err := nodes.New(binary, t.TempDir(), n, flags...)
	must(t, err)
	c := &testCluster{Cluster: real, t: t}
	for _, node := range real.Nodes {
		must(t, real.ConnectTo(node))
		c.nodes = append(c.nodes, &testNode{node, c})
	}
	t.Cleanup(func() {
		if err := real.Close(); err != nil {
			t.Error(err)
		}
		for _, node := range real.Nodes {
			if p := node.Process(); p != nil {
				showWhenFailed(t, p)
			}
		}
	})
	return c
}

func (n *testNode) start() {
	n.c.t.Helper()
	must(n.c.t, n.Start())
}

// life is the node's present process.
func (n *testNode) life() *process { return &process{n.Process(), n.c.t} }

func (n *testNode) kill() {
	n.c.t.Helper()
	must(n.c.t, n.Kill())
}

// term asks the node to stop, as a supervisor does.
func (n *testNode) term() {
	n.c.t.Helper()
	must(n.c.t, n.Terminate())
}

// wait waits for the end of the node's process and returns its exit code, -1 for a signal.
func (n *testNode) wait() int {
	n.c.t.Helper()
	return n.life().wait()
}

func (n *testNode) waitReady() {
	n.c.t.Helper()
	must(n.c.t, n.WaitReady(n.c.t.Context()))
}

func (n *testNode) waitUnready() {
	n.c.t.Helper()
	must(n.c.t, n.WaitUnready(n.c.t.Context()))
}

// client returns a client that knows all nodes and prefers the i-th, modulo their number.
func (c *testCluster) client(i int) *client.Client {
	return c.newClient(client.Config{URLs: c.URLs(i), Token: c.Token()})
}

func (c *testCluster) newClient(config client.Config) *client.Client {
	cl, err := c.NewClient(config)
	must(c.t, err)
	return cl
}

// createQueue makes a queue that never refuses a message.
func (c *testCluster) createQueue(name string, visibility time.Duration) {
	c.t.Helper()
	must(c.t, c.CreateQueue(c.t.Context(), name, visibility))
}

// waitLeader waits until a running node is the leader in the eyes of a majority of all nodes, and returns it.
func (c *testCluster) waitLeader() *testNode {
	c.t.Helper()
	leader, err := c.WaitLeader(c.t.Context())
	must(c.t, err)
	return c.nodes[slices.Index(c.Nodes, leader)]
}

// waitVoters waits until every running node counts n members, all of them voters.
func (c *testCluster) waitVoters(n int) {
	c.t.Helper()
	must(c.t, c.WaitVoters(c.t.Context(), n))
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
