package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// memoryNetwork connects the nodes of a test without the machine's network, so that a cluster can live in a bubble of
// testing/synctest: there a real connection that is waited for would stop the clock. It can cut nodes off, and hold what
// one sends to another.
type memoryNetwork struct {
	mu        sync.Mutex
	changed   chan struct{} // closed at every change of what follows, and of any connection
	listeners map[string]*memoryListener
	ports     int
	conns     []*memoryConn
	apart     map[string]bool    // nodes that are cut off, by the address that they advertise
	held      map[[2]string]bool // from, to: what is sent does not arrive
	holdAfter map[[2]string]int  // likewise, when so many bytes more have arrived
	delay     time.Duration      // what is sent arrives after half of it to one and a half, in its order; 0: at once
}

func newMemoryNetwork() *memoryNetwork {
	return &memoryNetwork{
		changed: make(chan struct{}), listeners: map[string]*memoryListener{}, apart: map[string]bool{}, held: map[[2]string]bool{},
		holdAfter: map[[2]string]int{},
	}
}

// change runs f alone and has everybody who waits look again.
func (n *memoryNetwork) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.changed)
	n.changed = make(chan struct{})
}

// isolate breaks all connections of a node and lets it make no more, until heal.
func (n *memoryNetwork) isolate(node string) {
	n.change(func() {
		n.apart[node] = true
		for _, c := range n.conns {
			if c.in.from == node || c.in.to == node {
				c.in.broken, c.out.broken = true, true
			}
		}
		n.conns = slices.DeleteFunc(n.conns, func(c *memoryConn) bool { return c.in.broken })
	})
}

func (n *memoryNetwork) heal(node string) {
	n.change(func() { delete(n.apart, node) })
}

// hold keeps back what one node sends to another, from now on and until it is called again to let it go.
func (n *memoryNetwork) hold(from, to string, held bool) {
	n.change(func() { n.held[[2]string{from, to}] = held })
}

// stallAfter is hold that begins when so many bytes have arrived.
func (n *memoryNetwork) stallAfter(from, to string, bytes int) {
	n.change(func() { n.holdAfter[[2]string{from, to}] = bytes })
}

// arrived counts bytes from one node to another. The caller holds the lock.
func (n *memoryNetwork) arrived(way [2]string, bytes int) {
	left, ok := n.holdAfter[way]
	if !ok {
		return
	}
	if left -= bytes; left > 0 {
		n.holdAfter[way] = left
		return
	}
	delete(n.holdAfter, way)
	n.held[way] = true
}

// listen opens a port for the node that advertises an address.
func (n *memoryNetwork) listen(node string) (net.Listener, error) {
	l := &memoryListener{network: n, node: node}
	n.change(func() {
		n.ports++
		l.addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.ports}
		n.listeners[l.addr.String()] = l
	})
	return l, nil
}

// dial connects a node to a port.
func (n *memoryNetwork) dial(ctx context.Context, from, addr string) (c net.Conn, err error) {
	n.change(func() {
		l := n.listeners[addr]
		if l == nil || l.closed || n.apart[from] || n.apart[l.node] {
			err = fmt.Errorf("dial %s from %s: no way there", addr, from)
			return
		}
		there, back := &memoryPipe{from: from, to: l.node}, &memoryPipe{from: l.node, to: from}
		near, far := &memoryConn{n: n, in: back, out: there, peer: l.addr}, &memoryConn{n: n, in: there, out: back, peer: l.addr}
		n.conns = append(n.conns, near)
		l.waiting = append(l.waiting, far)
		c = near
	})
	return c, errors.Join(err, ctx.Err())
}

func (n *memoryNetwork) isHeld(from, to string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[[2]string{from, to}]
}

type memoryListener struct {
	network *memoryNetwork
	node    string
	addr    *net.TCPAddr
	waiting []*memoryConn
	closed  bool
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

func (l *memoryListener) Accept() (net.Conn, error) {
	for {
		l.network.mu.Lock()
		changed := l.network.changed
		switch {
		case l.closed:
			l.network.mu.Unlock()
			return nil, net.ErrClosed
		case len(l.waiting) > 0:
			c := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.network.mu.Unlock()
			return c, nil
		}
		l.network.mu.Unlock()
		<-changed
	}
}

func (l *memoryListener) Close() error {
	l.network.change(func() { l.closed = true })
	return nil
}

// memoryPipe is one direction of a connection; the network's lock guards it.
type memoryPipe struct {
	from, to string
	sent     []memoryChunk
	ended    bool // by its sender
	gone     bool // its reader is
	broken   bool
	deadline time.Time // for its reader
}

// memoryChunk is what was written at once.
type memoryChunk struct {
	data []byte
	at   time.Time // when it arrives
}

// memoryConn is one end of a connection. Writing never waits.
type memoryConn struct {
	n       *memoryNetwork
	in, out *memoryPipe
	peer    net.Addr
}

func (c *memoryConn) Read(b []byte) (int, error) {
	for {
		got, changed, next, err := c.look(b)
		if changed == nil {
			return got, err
		}
		var late <-chan time.Time
		timer := time.NewTimer(time.Until(next))
		if !next.IsZero() {
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
		}
		timer.Stop()
	}
}

// look takes what is there. If there is nothing it returns what to wait for, and until when at most.
func (c *memoryConn) look(b []byte) (got int, changed chan struct{}, next time.Time, err error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	now := time.Now()
	switch p := c.in; {
	case p.gone:
		return 0, nil, next, net.ErrClosed
	case p.broken:
		return 0, nil, next, errors.New("the connection is broken")
	case !p.deadline.IsZero() && !now.Before(p.deadline):
		return 0, nil, next, os.ErrDeadlineExceeded
	case c.n.held[[2]string{p.from, p.to}]:
	case len(p.sent) > 0 && !p.sent[0].at.After(now):
		got = copy(b, p.sent[0].data)
		if p.sent[0].data = p.sent[0].data[got:]; len(p.sent[0].data) == 0 {
			p.sent = p.sent[1:]
		}
		c.n.arrived([2]string{p.from, p.to}, got)
		return got, nil, next, nil
	case len(p.sent) > 0:
		next = p.sent[0].at
	case p.ended:
		return 0, nil, next, io.EOF
	}
	if d := c.in.deadline; !d.IsZero() && (next.IsZero() || d.Before(next)) {
		next = d
	}
	return 0, c.n.changed, next, nil
}

func (c *memoryConn) Write(b []byte) (written int, err error) {
	c.n.change(func() {
		switch p := c.out; {
		case p.ended:
			err = net.ErrClosed
		case p.broken || p.gone:
			err = errors.New("the connection is broken")
		case len(b) > 0:
			p.sent = append(p.sent, memoryChunk{append([]byte(nil), b...), c.n.arrival(p)})
			written = len(b)
		}
	})
	return written, err
}

// arrival is when what is written now arrives. The caller holds the lock.
func (n *memoryNetwork) arrival(p *memoryPipe) time.Time {
	at := time.Now()
	if n.delay > 0 {
		at = at.Add(n.delay/2 + rand.N(n.delay))
	}
	if last := len(p.sent) - 1; last >= 0 && p.sent[last].at.After(at) {
		at = p.sent[last].at
	}
	return at
}

func (c *memoryConn) Close() error {
	c.n.change(func() {
		c.in.gone, c.out.ended = true, true
		c.n.conns = slices.DeleteFunc(c.n.conns, func(o *memoryConn) bool { return o == c })
	})
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr              { return c.peer }
func (c *memoryConn) RemoteAddr() net.Addr             { return c.peer }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
func (c *memoryConn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.n.change(func() { c.in.deadline = t })
	return nil
}
