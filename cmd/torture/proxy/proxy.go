package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const acceptPause = 10 * time.Millisecond

// Dial opens a connection to the target of a proxy.
type Dial func(ctx context.Context) (*net.TCPConn, error)

// To dials address.
func To(address string) Dial {
	return func(ctx context.Context) (*net.TCPConn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return c.(*net.TCPConn), nil
	}
}

// Proxy leads the connections to one address to one target. Its methods may be called by any goroutine.
type Proxy struct {
	listener            net.Listener
	dial                Dial
	requests, responses *lane
	counters            counters
	refusing            atomic.Bool
	ctx                 context.Context // ends with Close
	cancel              context.CancelFunc
	running             sync.WaitGroup

	mu    sync.Mutex
	links map[*link]struct{}
}

// Listen opens a proxy on address (port 0 takes a free one), which passes everything to what dial reaches. The jitter of
// its rules follows from seed.
func Listen(address string, dial Dial, seed uint64) (*Proxy, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open proxy: %w", err)
	}
	p := &Proxy{
		listener: l, dial: dial,
		requests: newLane(seed, 1), responses: newLane(seed, 2), links: make(map[*link]struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set replaces the rules of both directions, for open connections too. Bytes on their way come under the new rules.
func (p *Proxy) Set(requests, responses Rule) {
	p.requests.set(requests)
	p.responses.set(responses)
}

// Pass ends all faults: rules and Refuse.
func (p *Proxy) Pass() {
	p.Refuse(false)
	p.Set(Rule{}, Rule{})
}

// Refuse has new connections reset as soon as they are made, or no longer. It does not touch open ones.
func (p *Proxy) Refuse(on bool) { p.refusing.Store(on) }

// Cut resets all open connections on both sides and returns how many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.links {
		k.end(true)
	}
	return len(p.links)
}

// Open returns how many connections there are.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Counters returns what has happened so far.
func (p *Proxy) Counters() Counters {
	return Counters{
		Accepted: p.counters.accepted.Load(), Refused: p.counters.refused.Load(),
		Unreachable: p.counters.unreachable.Load(), Reset: p.counters.reset.Load(),
		Requests: p.requests.flow.read(), Responses: p.responses.flow.read(),
	}
}

// Close stops listening, resets all connections and returns when nothing of the proxy runs any more.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.Cut()
	p.running.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many files are open: there may be room for the next one in a moment
			p.counters.refused.Add(1)
			wait(time.Now().Add(acceptPause), nil, p.ctx.Done())
			continue
		}
		client := c.(*net.TCPConn)
		if p.refusing.Load() {
			p.counters.refused.Add(1)
			closeConn(client, true)
			continue
		}
		p.running.Go(func() { p.lead(client) })
	}
}

// lead connects one client with the target.
func (p *Proxy) lead(client *net.TCPConn) {
	server, err := p.dial(p.ctx)
	if err != nil {
		p.counters.unreachable.Add(1)
		closeConn(client, true)
		return
	}
	k := &link{proxy: p, client: client, server: server, done: make(chan struct{})}
	p.mu.Lock()
	p.links[k] = struct{}{}
	p.counters.accepted.Add(1)
	if p.ctx.Err() != nil { // Close has cut all others already
		k.end(true)
	}
	p.mu.Unlock()
	k.run()
	p.mu.Lock()
	delete(p.links, k)
	p.mu.Unlock()
}
