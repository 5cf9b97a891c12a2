package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
)

const maxNodes = 250

// Network is what connects nodes, numbered from 0, each in a namespace of its own. Its methods may be called by any
// goroutine.
type Network struct {
	seed    uint64
	failed  atomic.Uint64
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.RWMutex // Add writes
	spaces []*Namespace
	pipes  map[pair]*pipe
}

// pair is two nodes, in the direction of the packets.
type pair struct{ from, to int }

// Open makes a network of so many nodes that passes everything. Losses, doubles and jitter follow from seed and from the
// order in which packets come.
func Open(nodes int, seed uint64) (*Network, error) {
	n := &Network{seed: seed, pipes: map[pair]*pipe{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for range nodes {
		if _, err := n.Add(); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

// Add makes one more node, which everybody reaches, and returns its number.
func (n *Network) Add() (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	added := len(n.spaces)
	if added >= maxNodes {
		return 0, fmt.Errorf("a network has at most %d nodes", maxNodes)
	}
	ns, err := newNamespace(netip.AddrFrom4([4]byte{10, 99, 0, byte(added + 1)}))
	if err != nil {
		return 0, fmt.Errorf("network namespace: %w", err)
	}
	n.spaces = append(n.spaces, ns)
	for other := range added {
		n.lay(pair{added, other})
		n.lay(pair{other, added})
	}
	n.running.Go(func() { n.read(added, ns.device) })
	return added, nil
}

// lay makes the pipe of a pair. The caller holds n.mu.
func (n *Network) lay(k pair) {
	p := newPipe(n.writer(k.to), n.writer(k.from), n.seed, uint64(k.from*maxNodes+k.to))
	n.pipes[k] = p
	n.running.Go(func() { p.run(n.ctx) })
}

// Close stops the network. The namespaces last as long as processes run in them.
func (n *Network) Close() error {
	n.cancel()
	n.mu.RLock()
	var errs []error
	for _, ns := range n.spaces {
		errs = append(errs, ns.close())
	}
	n.mu.RUnlock() // the readers take it once more before they see that their device is closed
	n.running.Wait()
	return errors.Join(errs...)
}

// Namespace returns where node i lives.
func (n *Network) Namespace(i int) *Namespace {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.spaces[i]
}

// Nodes is how many there are.
func (n *Network) Nodes() int {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return len(n.spaces)
}

// Set replaces the rule for the packets from one node to another.
func (n *Network) Set(from, to int, r Rule) { n.pipe(from, to).set(r) }

func (n *Network) pipe(from, to int) *pipe {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.pipes[pair{from, to}]
}

// SetBetween replaces the rules of both directions between two nodes.
func (n *Network) SetBetween(a, b int, r Rule) {
	n.Set(a, b, r)
	n.Set(b, a, r)
}

// SetAround replaces the rules for all that node i sends and for all that it is sent.
func (n *Network) SetAround(i int, sends, isSent Rule) {
	for other := range n.Nodes() {
		if other != i {
			n.Set(i, other, sends)
			n.Set(other, i, isSent)
		}
	}
}

// SetAll replaces all rules.
func (n *Network) SetAll(r Rule) {
	for i := range n.Nodes() {
		n.SetAround(i, r, r)
	}
}

// Flow returns what happened to the packets from one node to another.
func (n *Network) Flow(from, to int) Flow { return n.pipe(from, to).counters() }

// Total returns what happened to all packets.
func (n *Network) Total() (f Flow) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	for _, p := range n.pipes {
		f = f.Add(p.counters())
	}
	return f
}

// Failed returns how many packets a namespace did not take, and devices that broke. A network that works has none.
func (n *Network) Failed() uint64 { return n.failed.Load() }

// writer returns the way into the namespace of node i.
func (n *Network) writer(i int) func([]byte) {
	device := n.spaces[i].device
	return func(packet []byte) {
		if _, err := device.Write(packet); err != nil && !errors.Is(err, os.ErrClosed) {
			n.failed.Add(1)
		}
	}
}

// read takes the packets that node from sends, until its device is closed.
func (n *Network) read(from int, device *os.File) {
	buffer := make([]byte, 1<<16)
	for {
		size, err := device.Read(buffer)
		if err != nil {
			if !errors.Is(err, os.ErrClosed) { // the node is cut off, which no rule asked for
				n.failed.Add(1)
			}
			return
		}
		if to, ok := destination(buffer[:size]); ok {
			if p := n.pipe(from, int(to.As4()[3])-1); p != nil {
				p.send(buffer[:size])
			}
		}
	}
}
