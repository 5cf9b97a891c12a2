package transport

import (
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// deliverTimeout bounds how long an accepted connection waits for its service to take it, for instance while a node
// has its identity but raft has not started yet.
const deliverTimeout = 5 * time.Second

// feed is a net.Listener of connections whose preamble asked for one service.
type feed struct {
	addr  func() net.Addr
	conns chan net.Conn
	done  chan struct{}
	shut  func()
}

func newFeed(addr func() net.Addr) *feed {
	f := &feed{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
	f.shut = sync.OnceFunc(func() { close(f.done) })
	return f
}

// deliver hands c to Accept, or closes it when nobody accepts.
func (f *feed) deliver(c net.Conn) {
	timer := time.NewTimer(deliverTimeout)
	defer timer.Stop()
	select {
	case f.conns <- c:
	case <-f.done:
		closeQuietly(c)
	case <-timer.C:
		closeQuietly(c)
	}
}

// Accept returns the next connection, or net.ErrClosed.
func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. Connections that were accepted stay open.
func (f *feed) Close() error {
	f.shut()
	return nil
}

// Addr is the address that the service goes by.
func (f *feed) Addr() net.Addr { return f.addr() }

// idAddr is a member's address as raft knows it: its id.
type idAddr string

func (idAddr) Network() string  { return "fastqueue" }
func (a idAddr) String() string { return string(a) }

func (p *Port) raftAddr() net.Addr { return idAddr(p.identity.Load().ID) }

// raftLayer carries raft's own transport over the port.
type raftLayer struct {
	*feed
	port *Port
}

// RaftLayer is the stream layer for raft's network transport. The addresses of raft servers must be their ids: Dial
// resolves an id through Options.Addresses, and Addr is this node's id. There is one layer per port; closing it ends
// raft's part of the port for good.
func (p *Port) RaftLayer() raft.StreamLayer { return raftLayer{feed: p.raft, port: p} }

// Dial opens a connection to the member whose id is address. A timeout of zero means five seconds.
func (l raftLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return l.port.dialMember(l.port.ctx, string(address), serviceRaft, timeout)
}
