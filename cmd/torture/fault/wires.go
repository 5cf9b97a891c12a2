package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/netns"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/proxy"
)

// The ports of a node in a namespace, where it is alone.
const (
	spaceHTTP = 9080
	spacePeer = 9081
)

// wires is what the faults of the network share: a proxy before the API of each node, and, once a fault asked for it, a
// network that connects the nodes, each in its namespace. Prepare sets it up, strikes come one after another.
type wires struct {
	mu      sync.Mutex // nodes may be added at any time
	users   int        // faults that have not released it
	seed    uint64
	network *netns.Network
	spaces  map[*nodes.Node]int // numbers in network
	proxies map[*nodes.Node]*proxy.Proxy
}

// networkFaults are the faults between nodes, and between them and their clients.
func networkFaults() []Fault {
	w := newWires()
	return slices.Concat(newPartitions(w), newBadLinks(w), []Fault{newLostAnswers(w)}, newClientLinks(w))
}

func newWires() *wires {
	return &wires{spaces: map[*nodes.Node]int{}, proxies: map[*nodes.Node]*proxy.Proxy{}}
}

// prepare puts the proxies in place, and the network if it is wanted, for all nodes and those that will be added.
func (w *wires) prepare(s *Scene, network bool) (release func() error, err error) {
	if err := s.link("proxies before the API or a network of their own"); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users++; w.users == 1 {
		w.seed = s.Random.Uint64()
	}
	if network && w.network == nil {
		if w.network, err = netns.Open(0, w.seed); err != nil {
			return w.release, err
		}
	}
	for _, n := range s.Cluster.Nodes {
		if err := w.place(n); err != nil {
			return w.release, err
		}
	}
	for _, n := range s.Cluster.Nodes { // whom they join has moved
		if n.Verb[0] == "join" {
			n.Verb = []string{"join", s.Cluster.Nodes[0].Peer}
		}
	}
	s.Cluster.Place = func(n *nodes.Node) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.place(n)
	}
	return w.release, nil
}

// place moves a node that was not started. The caller holds w.mu.
func (w *wires) place(n *nodes.Node) error {
	if w.proxies[n] == nil {
		p, err := proxy.Listen("127.0.0.1:0", func(ctx context.Context) (*net.TCPConn, error) { return w.dial(ctx, n) }, w.seed+uint64(len(w.proxies)))
		if err != nil {
			return err
		}
		w.proxies[n], n.Address = p, p.Addr()
	}
	if _, placed := w.spaces[n]; w.network == nil || placed {
		return nil
	}
	i, err := w.network.Add()
	if err != nil {
		return err
	}
	w.spaces[n] = i
	ns := w.network.Namespace(i)
	n.Launch = ns.Start
	n.HTTP = net.JoinHostPort("127.0.0.1", strconv.Itoa(spaceHTTP))
	n.Peer = net.JoinHostPort(ns.Addr().String(), strconv.Itoa(spacePeer))
	return nil
}

// dial reaches the API of a node, wherever it is.
func (w *wires) dial(ctx context.Context, n *nodes.Node) (*net.TCPConn, error) {
	w.mu.Lock()
	network := w.network
	i, placed := w.spaces[n]
	w.mu.Unlock()
	if placed {
		return network.Namespace(i).Dial(ctx, n.HTTP)
	}
	return proxy.To(n.HTTP)(ctx)
}

// release closes everything when the last fault has released it.
func (w *wires) release() error {
	w.mu.Lock()
	w.users--
	last, network := w.users == 0, w.network
	w.mu.Unlock()
	if !last {
		return nil
	}
	var errs []error
	for _, p := range w.proxies {
		errs = append(errs, p.Close())
	}
	if network != nil {
		if failed := network.Failed(); failed > 0 {
			errs = append(errs, fmt.Errorf("%d packets were lost that no fault took", failed))
		}
		errs = append(errs, network.Close())
	}
	return errors.Join(errs...)
}

// space is the number of a node in the network.
func (w *wires) space(n *nodes.Node) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spaces[n]
}

// proxy is the one before the API of a node.
func (w *wires) proxy(n *nodes.Node) *proxy.Proxy {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.proxies[n]
}

// heal ends all faults of the network and waits until the cluster is whole and writes go on.
func (w *wires) heal(ctx context.Context, s *Scene) error {
	w.pass()
	healed := time.Now()
	for _, n := range s.Cluster.Nodes {
		if !n.Running() {
			continue
		}
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
	}
	return s.Load.WaitWriteAfter(ctx, healed)
}

// pass ends all faults of the network.
func (w *wires) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.proxies {
		p.Pass()
	}
	if w.network != nil {
		w.network.SetAll(netns.Rule{})
	}
}
