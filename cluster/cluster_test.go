package cluster

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const testDeadline = 30 * time.Second

// testCluster is a cluster of nodes in this process, over real connections and disks. Node i has the cluster address
// "n<i>.test:9081", which the test's dialler resolves to wherever the node listens at the moment.
type testCluster struct {
	t        testing.TB
	logStore string
	token    string
	change   func(*Config) // of each node's configuration, may be nil
	mu       sync.Mutex
	resolve  map[string]string // name:port -> address
	nodes    []*testNode
	log      *testLog
	connect  func(ctx context.Context, network, address string) (net.Conn, error) // to where a node listens
}

type testNode struct {
	*Node
	dir string
}

func newTestCluster(t testing.TB, logStore string, nodes int, change func(*Config)) *testCluster {
	t.Helper()
	c := &testCluster{t: t, logStore: logStore, change: change, connect: new(net.Dialer).DialContext}
	c.startAll(nodes)
	return c
}

func (c *testCluster) startAll(nodes int) {
	c.t.Helper()
	c.token, c.resolve = transport.NewJoinToken(), map[string]string{}
	base := c.t.TempDir() // made first, so that it is removed after the nodes have stopped
	c.log = newTestLog(c.t)
	c.t.Cleanup(func() {
		for i := range c.nodes {
			c.stop(i)
		}
	})
	for i := range nodes {
		c.nodes = append(c.nodes, &testNode{dir: filepath.Join(base, name(i))})
		c.start(i)
	}
	for i := range nodes { // not later, in the middle of what a test counts
		c.registerSessions(i)
	}
}

// registerSessions returns when a node can number its commands.
func (c *testCluster) registerSessions(i int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	for _, s := range c.nodes[i].sessions {
		t, err := s.begin(ctx)
		if err != nil {
			c.t.Fatalf("%s: register session: %v", name(i), err)
		}
		s.end(t)
	}
}

func name(i int) string    { return fmt.Sprintf("n%d", i) }
func address(i int) string { return name(i) + ".test:9081" }

func (c *testCluster) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	real, ok := c.resolve[addr]
	c.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("no such host: %s", addr)
	}
	return c.connect(ctx, network, real)
}

// start opens node i: it founds the cluster if it is the first, joins it if its directory is empty, or goes on.
func (c *testCluster) start(i int) {
	c.t.Helper()
	n := c.open(i)
	var err error
	switch member := n.directory.ClusterID != ""; {
	case member:
		err = n.Start()
		if err == nil && len(c.nodes) == 1 {
			c.elect(n)
		}
	case i == 0:
		err = n.Found(Founding{JoinToken: c.token, AdminName: "admin", AdminPasswordHash: "hash"})
		if err == nil {
			c.elect(n)
			ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
			defer cancel()
			err = n.WaitVoter(ctx)
		}
	default:
		ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
		defer cancel()
		err = c.join(ctx, n)
	}
	if err != nil {
		c.t.Fatalf("start %s: %v", name(i), err)
	}
}

// join makes a node a voter, whichever of the first two it takes to let it in.
func (c *testCluster) join(ctx context.Context, n *Node) error {
	for err := n.Join(ctx, []string{address(0), address(1)}, c.token); err != nil; err = n.Join(ctx, []string{address(0), address(1)}, c.token) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
	return n.WaitVoter(ctx)
}

// elect has a node that is alone begin its election now: raft looks at its heartbeat timer when that gets shorter.
func (c *testCluster) elect(n *Node) {
	c.t.Helper()
	config := n.replica.Load().raft.ReloadableConfig()
	config.HeartbeatTimeout -= time.Millisecond
	if err := n.replica.Load().raft.ReloadConfig(config); err != nil {
		c.t.Fatalf("elect %s: %v", n.Name(), err)
	}
}

// open makes node i anew on its directory and listens on a free port.
func (c *testCluster) open(i int) *Node {
	c.t.Helper()
	n := New(c.config(i))
	c.nodes[i].Node = n
	if _, err := n.Open(); err != nil {
		c.t.Fatalf("open %s: %v", name(i), err)
	}
	c.mu.Lock()
	c.resolve[address(i)] = n.ClusterAddr().String()
	c.mu.Unlock()
	return n
}

// config is how node i is configured.
func (c *testCluster) config(i int) Config {
	config := Config{
		DataDir: c.nodes[i].dir, NodeName: name(i), LogStore: c.logStore, Version: "test",
		ClusterAddr: "127.0.0.1:0", AdvertiseCluster: address(i), AdvertiseHTTP: name(i) + ".test:9080",
		Logger:  hclog.New(&hclog.LoggerOptions{Name: name(i), Level: hclog.Warn, Output: c.log}),
		Exit:    func(code int, reason string) { c.t.Errorf("%s ends with code %d: %s", name(i), code, reason) },
		Restart: func(reason string) { c.t.Errorf("%s wants to start again: %s", name(i), reason) },
		Dial:    c.dial,
		Disk:    func(string) (free, total uint64, err error) { return 1 << 40, 1 << 40, nil },
		// Longer than in production: a test machine that does ten things at once is no reason for an election.
		Heartbeat: 1500 * time.Millisecond, LeaderLease: time.Second,
	}
	if c.change != nil {
		c.change(&config)
	}
	return config
}

func (c *testCluster) stop(i int) {
	c.t.Helper()
	if c.nodes[i].Node == nil {
		return
	}
	if err := c.nodes[i].Close(); err != nil {
		c.t.Errorf("close %s: %v", name(i), err)
	}
	c.nodes[i].Node = nil
}

// leader waits until all nodes that run follow one that leads, and returns its number.
func (c *testCluster) leader() (leader int) {
	c.t.Helper()
	eventually(c.t, "a leader", func() bool {
		id := ""
		for i, n := range c.nodes {
			if n.Node != nil && n.replica.Load() != nil && n.replica.Load().leadership.Load() != nil {
				leader, id = i, n.ID()
			}
		}
		return id != "" && !slices.ContainsFunc(c.nodes, func(n *testNode) bool {
			return n.Node != nil && (n.replica.Load() == nil || n.replica.Load().leader() != id)
		})
	})
	return leader
}

// eventually waits for a condition. It is the only place of these tests that lets time pass.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(testDeadline)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", testDeadline, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var admin = &fsmpb.Principal{User: 1, Version: 1, Name: "admin"}

// propose has a command applied through node i and returns its result.
func (c *testCluster) propose(i int, command *fsmpb.Command) *fsmpb.Result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	command.Principal = admin
	result, err := c.nodes[i].Propose(ctx, command)
	if err != nil {
		c.t.Fatalf("propose through %s: %v", name(i), err)
	}
	return result
}

func createQueueCommand(queue string) *fsmpb.Command {
	return &fsmpb.Command{Principal: admin, Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
		Name: queue, Settings: &fsmpb.QueueSettings{MaxLength: 1_000_000, VisibilityTimeoutS: 30},
	}}}
}

func (c *testCluster) createQueue(i int, queue string) {
	c.t.Helper()
	result := c.propose(i, createQueueCommand(queue))
	if result.Error != nil {
		c.t.Fatalf("create queue: %v", result.Error)
	}
}

func sendCommand(queue, body string) *fsmpb.Command {
	content, err := proto.Marshal(&fsmpb.Content{Body: body})
	if err != nil {
		panic(err)
	}
	return &fsmpb.Command{Principal: admin, Op: &fsmpb.Command_SendMessage{SendMessage: &fsmpb.SendMessage{
		Queue: queue, Messages: []*fsmpb.NewMessage{{Content: content}},
	}}}
}

func (c *testCluster) send(i int, queue, body string) {
	c.t.Helper()
	if result := c.propose(i, sendCommand(queue, body)); result.Error != nil || result.GetSend().Messages[0].Error != nil {
		c.t.Fatalf("send: %v", result)
	}
}

func receiveCommand(queue string, max uint32) *fsmpb.Command {
	return &fsmpb.Command{Principal: admin, Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: &fsmpb.ReceiveMessage{Queue: queue, Max: max}}}
}

// receive returns the bodies that one receive through node i takes.
func (c *testCluster) receive(i int, queue string, max uint32, wait time.Duration) (bodies []string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	result, err := c.nodes[i].Receive(ctx, receiveCommand(queue, max), wait)
	if err != nil || result.Error != nil {
		c.t.Fatalf("receive through %s: %v, %v", name(i), result, err)
	}
	for _, d := range result.GetReceive().Deliveries {
		content := &fsmpb.Content{}
		if err := proto.Unmarshal(d.Message.Content, content); err != nil {
			c.t.Fatal(err)
		}
		bodies = append(bodies, content.Body)
	}
	return bodies
}

func logStores(t *testing.T, test func(t *testing.T, logStore string)) {
	for _, logStore := range []string{"bolt", "wal"} {
		t.Run(logStore, func(t *testing.T) {
			t.Parallel() // they wait for the disk and for timers most of the time
			test(t, logStore)
		})
	}
}
