package cluster

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// links are the connections between the nodes of a test, which can be cut.
type links struct {
	mu    sync.Mutex
	ends  map[net.Conn][2]string // addresses of who dialled and who was dialled
	apart map[string]bool        // addresses that nobody reaches and that reach nobody
}

func newLinks() *links { return &links{ends: map[net.Conn][2]string{}, apart: map[string]bool{}} }

// watch has a node dial through the links.
func (l *links) watch(c *Config) {
	from, dial := c.AdvertiseCluster, c.Dial
	c.Dial = func(ctx context.Context, network, to string) (net.Conn, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.apart[from] || l.apart[to] {
			return nil, errors.New("the link is cut")
		}
		conn, err := dial(ctx, network, to)
		if err == nil {
			l.ends[conn] = [2]string{from, to}
		}
		return conn, err
	}
}

// isolate cuts all links of one node.
func (l *links) isolate(t *testing.T, node string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apart[node] = true
	for conn, ends := range l.ends {
		if ends[0] == node || ends[1] == node {
			if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("cut a link of %s: %v", node, err)
			}
		}
	}
}

// A leader that does not know yet that another was elected (it was paused, say) must not say that a queue is empty: the
// other one may have acknowledged a send. Its lease is made long here, so that it goes on believing.
func TestADeposedLeaderDoesNotSayEmpty(t *testing.T) {
	t.Parallel()
	network := newLinks()
	c := newTestCluster(t, "wal", 3, func(c *Config) {
		network.watch(c)
		c.Heartbeat, c.LeaderLease = 5*time.Second, time.Second
		if c.NodeName == name(0) {
			c.Heartbeat, c.LeaderLease = 20*time.Second, 19*time.Second
		}
	})
	if c.leader() != 0 {
		t.Fatal("the founder does not lead")
	}
	c.createQueue(0, "q")
	old := c.nodes[0].replica.Load().leadership.Load()
	network.isolate(t, address(0))
	eventually(t, "another leader", func() bool {
		l := c.nodes[1].replica.Load().leadership.Load()
		if l == nil {
			l = c.nodes[2].replica.Load().leadership.Load()
		}
		return l != nil && l.term > old.term
	})
	c.send(1, "q", "job")
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	result, err := c.nodes[0].Receive(ctx, receiveCommand("q", 1), 0)
	if old.ctx.Err() != nil {
		t.Fatal("the old leader has noticed before it was asked")
	}
	if err == nil {
		t.Errorf("the deposed leader answers %v", result)
	}
}
