package nodes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

// Secrets of every cluster that this package starts. They are of no use anywhere else.
const (
	JoinToken     = "fqj-0123456789abcdefghijklmnopqrstuv"
	AdminPassword = "correct horse battery staple"
)

// queueLength is the largest that a queue may have: no send is ever refused for it.
const queueLength = 100_000_000

// Environment is what every node is told beside its flags.
func Environment() []string {
	return []string{"FASTQUEUE_JOIN_TOKEN=" + JoinToken, "FASTQUEUE_ADMIN_PASSWORD=" + AdminPassword}
}

// Cluster is a cluster of real processes on this machine.
type Cluster struct {
	Binary string
	Dir    string // of the data directories and the logs
	Nodes  []*Node
	Former []*Node // that were taken out of it
	// Place is told of each node that Add makes, and may give it another place; nil leaves it where it is.
	Place func(*Node) error
	// Ended is told of each process of a node that has ended, whoever ended it; nil: nobody is.
	Ended func(*Process)

	token atomic.Pointer[string] // an access token of the admin

	mu      sync.Mutex
	clients []*client.Client
}

// New prepares n nodes, which are not started, with the given flags. The first founds the cluster, the others join it.
func New(binary, dir string, n int, flags ...string) (*Cluster, error) {
	c := &Cluster{Binary: binary, Dir: dir}
	for range n {
		if _, err := c.Add(flags...); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Add prepares one more node, which is not started. Its name has not been used before.
func (c *Cluster) Add(flags ...string) (*Node, error) {
	name := fmt.Sprintf("n%d", len(c.All()))
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of the cluster: %w", err)
	}
	n := &Node{Name: name, c: c, DataDir: filepath.Join(c.Dir, name), LogPath: filepath.Join(c.Dir, name+".log"), Flags: flags, Verb: []string{"serve"}}
	var err1, err2 error
	n.HTTP, err1 = FreeAddress()
	n.Peer, err2 = FreeAddress()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if c.Place != nil {
		if err := c.Place(n); err != nil {
			return nil, err
		}
	}
	if len(c.Nodes) > 0 {
		n.Verb = []string{"join", c.Nodes[0].Peer}
	}
	c.Nodes = append(c.Nodes, n)
	return n, nil
}

// Open starts all nodes, the first one first, and returns when all of them are voters.
func (c *Cluster) Open(ctx context.Context) error {
	for _, n := range c.Nodes {
		if err := c.openNode(n); err != nil {
			return err
		}
		if n.Verb[0] == "join" {
			if err := n.Process().WaitSays(ctx, "joined"); err != nil {
				return err
			}
		}
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
	}
	return c.settle(ctx)
}

// OpenPeers is Open with one and the same command on all nodes, which names all of them.
func (c *Cluster) OpenPeers(ctx context.Context) error {
	var peers []string
	for _, n := range c.Nodes {
		peers = append(peers, n.Peer)
	}
	for _, n := range c.Nodes {
		n.Verb = []string{"serve", "--peers", strings.Join(peers, ",")}
		if err := c.openNode(n); err != nil {
			return err
		}
	}
	for _, n := range c.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
	}
	return c.settle(ctx)
}

func (c *Cluster) openNode(n *Node) error {
	if err := c.ConnectTo(n); err != nil {
		return err
	}
	return n.Start()
}

// settle waits until all nodes vote, and logs in.
func (c *Cluster) settle(ctx context.Context) error {
	if err := c.WaitVoters(ctx, len(c.Nodes)); err != nil {
		return err
	}
	return c.LogIn(ctx)
}

// ConnectTo gives a node the client that API returns. Its addresses must be known; Open does it for all nodes.
func (c *Cluster) ConnectTo(n *Node) (err error) {
	n.api, err = c.NewClient(client.Config{URLs: []string{n.URL()}, Username: "admin", Password: AdminPassword})
	return err
}

// Close kills all nodes and ends the clients' connections.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.All() {
		errs = append(errs, n.Kill())
	}
	c.CloseClients()
	return errors.Join(errs...)
}

// CloseClients ends the idle connections of all clients, which may still be used.
func (c *Cluster) CloseClients() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range c.clients {
		cl.Close()
	}
}

// NewClient makes a client of the caller's, which Close closes.
func (c *Cluster) NewClient(config client.Config) (*client.Client, error) {
	cl, err := client.New(config)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients = append(c.clients, cl)
	return cl, nil
}

// URLs are the addresses of all nodes, beginning with the i-th, modulo their number.
func (c *Cluster) URLs(i int) []string {
	var urls []string
	for k := range c.Nodes {
		urls = append(urls, c.Nodes[(i+k)%len(c.Nodes)].URL())
	}
	return urls
}

// Token is the admin's access token, once LogIn has got one.
func (c *Cluster) Token() string {
	if t := c.token.Load(); t != nil {
		return *t
	}
	return ""
}

// LogIn gets a new access token of the admin.
func (c *Cluster) LogIn(ctx context.Context) error {
	return Until(ctx, Patience, "login", func() error {
		for _, n := range c.Nodes {
			if !n.Running() {
				continue
			}
			if err := n.api.Login(ctx); err != nil {
				return err
			}
			token, err := n.api.Token(ctx)
			if err == nil {
				c.token.Store(&token)
			}
			return err
		}
		return errors.New("no node runs")
	})
}

// CreateQueue makes a queue that never refuses a message.
func (c *Cluster) CreateQueue(ctx context.Context, name string, visibility time.Duration) error {
	settings := client.QueueSettings{MaxLength: queueLength, VisibilityTimeout: int64(visibility / time.Second)}
	_, err := c.Nodes[0].api.CreateQueue(ctx, name, settings)
	if err != nil {
		return fmt.Errorf("queue %s: %w", name, err)
	}
	return nil
}

// Others returns the nodes other than the given one.
func (c *Cluster) Others(than *Node) []*Node {
	var rest []*Node
	for _, n := range c.Nodes {
		if n != than {
			rest = append(rest, n)
		}
	}
	return rest
}

// JoinVerb is the command with which a node with an empty directory becomes a member, whichever of the others runs.
func (c *Cluster) JoinVerb(n *Node) []string {
	verb := []string{"join"}
	for _, other := range c.Others(n) {
		verb = append(verb, other.Peer)
	}
	return verb
}

// Drop takes a node that has ended out of Nodes; it is among Former then.
func (c *Cluster) Drop(n *Node) {
	c.Nodes = c.Others(n)
	c.Former = append(c.Former, n)
}

// All are the nodes of now and before.
func (c *Cluster) All() []*Node { return append(c.Nodes[:len(c.Nodes):len(c.Nodes)], c.Former...) }
