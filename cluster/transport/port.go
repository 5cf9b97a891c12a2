package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

const (
	// openTimeout bounds everything before a service starts: TLS handshake, preamble and answer.
	openTimeout = 5 * time.Second
	// maxOpening bounds the connections that have not proved anything yet.
	maxOpening = 128

	keepAliveIdle     = 2 * time.Second
	keepAliveInterval = 1 * time.Second
	keepAliveCount    = 3
	userTimeout       = 5 * time.Second
)

// DialFunc opens the TCP connection below TLS; its address may carry a DNS name.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Options of a Port. Only Addresses is needed to call others; Handler to serve them; JoinKeys and Admit to let nodes in.
type Options struct {
	Logger hclog.Logger
	// Group is the raft group that this port serves.
	Group uint32
	// Addresses tells where a member listens, as host:port; it is asked, and the host resolved, at every dial.
	Addresses func(id string) (address string, ok bool)
	// Dial replaces the plain TCP dialer, for instance to inject faults.
	Dial DialFunc
	// Listen replaces net.Listen likewise.
	Listen func(network, address string) (net.Listener, error)
	// Handler serves the requests of other members. It must be ready before SetIdentity.
	Handler Handler
	// Late is given the answer to a Receive whose caller had gone before it came, so that nothing stays leased to
	// nobody. It must not block. Nil drops such answers.
	Late func(target string, resp *clusterpb.Response)
	// JoinKeys are the keys with which a joining node may prove itself.
	JoinKeys func() []*fsmpb.JoinKey
	// Admit decides about a joining node that has proved its token. ctx ends with the connection's 10 s.
	Admit func(ctx context.Context, remote net.Addr, req *clusterpb.JoinRequest) *clusterpb.JoinResponse

	joinTimeout time.Duration // tests shorten it
}

// Port is the cluster port of one node. All methods may be called from any goroutine.
type Port struct {
	opts      Options
	listener  net.Listener
	ephemeral tls.Certificate
	identity  atomic.Pointer[member]

	raft  *feed
	rpc   *feed
	grpc  *grpc.Server
	joins chan struct{} // one token per join being served
	opens chan struct{} // one token per connection that has not proved anything yet

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // accept loop, connections before their service, gRPC server, links

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{} // every open TCP connection, accepted or dialed
	links  map[string]*link

	calls sync.Pool // of *call
	stats counters
}

// Listen opens the port on addr. It serves nothing but join until SetIdentity is called.
func Listen(addr string, o Options) (*Port, error) {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Listen == nil {
		o.Listen = net.Listen
	}
	if o.joinTimeout == 0 {
		o.joinTimeout = joinTimeout
	}
	ephemeral, err := ephemeralCertificate()
	if err != nil {
		return nil, err
	}
	listener, err := o.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on cluster port: %w", err)
	}
	p := &Port{
		opts:      o,
		listener:  listener,
		ephemeral: ephemeral,
		rpc:       newFeed(listener.Addr),
		joins:     make(chan struct{}, maxJoins),
		opens:     make(chan struct{}, maxOpening),
		conns:     make(map[net.Conn]struct{}),
		links:     make(map[string]*link),
		calls:     sync.Pool{New: func() any { return newCall() }},
	}
	p.raft = newFeed(p.raftAddr)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.identity.Store(newMember(Identity{}))
	p.grpc = newPeerServer(p)
	p.start(func() {
		if err := p.grpc.Serve(p.rpc); err != nil && p.ctx.Err() == nil {
			p.opts.Logger.Error("the rpc service of the cluster port ended", "error", err)
		}
	})
	p.start(p.accept)
	return p, nil
}

// SetIdentity makes the port serve raft and rpc as a member, or renews its certificate; connections that are open keep
// the certificate they began with. It is called before raft starts.
func (p *Port) SetIdentity(i Identity) { p.identity.Store(newMember(i)) }

// Addr is where the port listens.
func (p *Port) Addr() net.Addr { return p.listener.Addr() }

// Close ends every connection and every call, and waits for all that the port started.
func (p *Port) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	err := p.listener.Close()
	if errors.Is(err, net.ErrClosed) { // closed before
		err = nil
	}
	p.closeConns() // first: a stalled peer must not hold up the orderly ends below
	p.raft.shut()
	p.grpc.Stop()
	p.wg.Wait()
	if err != nil {
		return fmt.Errorf("close cluster port: %w", err)
	}
	return nil
}

func (p *Port) closeConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		closeQuietly(c)
	}
}

// start runs f in a goroutine that Close waits for; it reports whether the port is still open.
func (p *Port) start(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.wg.Go(f)
	return true
}

func (p *Port) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			if p.ctx.Err() != nil {
				return
			}
			p.opts.Logger.Warn("cannot accept a connection on the cluster port", "error", err)
			if !p.pause(acceptPause) {
				return
			}
			continue
		}
		select {
		case p.opens <- struct{}{}:
		default:
			p.opts.Logger.Warn("too many connections that have not named themselves", "remote", c.RemoteAddr())
			closeQuietly(c)
			continue
		}
		if !p.start(func() { p.serve(c) }) {
			closeQuietly(c)
			return
		}
	}
}

// acceptPause follows a failed accept, which is nearly always a lack of file descriptors.
const acceptPause = 50 * time.Millisecond

// pause waits for d and reports whether the port is still open.
func (p *Port) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// track sets the socket's options and notes it for Close. It fails when the port is closed.
func (p *Port) track(c net.Conn) error {
	if tcp, ok := c.(*net.TCPConn); ok {
		if err := setOptions(tcp); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.conns[c] = struct{}{}
	return nil
}

func (p *Port) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// setOptions lets a dead peer be noticed within five seconds, whether the connection is idle or in use.
func setOptions(c *net.TCPConn) error {
	err := c.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
	})
	if err != nil {
		return fmt.Errorf("set keepalive: %w", err)
	}
	if err := setUserTimeout(c, userTimeout); err != nil {
		return fmt.Errorf("set TCP user timeout: %w", err)
	}
	return nil
}

// memberConn is a connection whose preamble was accepted.
type memberConn struct {
	*tls.Conn
	peer    string // the id of the other side
	release func()
}

func (p *Port) newMemberConn(c *tls.Conn, peer string) *memberConn {
	return &memberConn{Conn: c, peer: peer, release: sync.OnceFunc(func() { p.forget(c.NetConn()) })}
}

// Close closes the connection and its socket.
func (c *memberConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// closeQuietly closes a connection whose outcome nobody waits for: it is being given up, and what was to be said about
// it has been said or logged by the caller.
func closeQuietly(c interface{ Close() error }) {
	if err := c.Close(); err != nil {
		return
	}
}
