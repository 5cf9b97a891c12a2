package transport

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// ErrOverloaded is the reason of a CallError when too much already waits for that member.
var ErrOverloaded = errors.New("too many bytes are waiting for the member")

// CallError says that a call has no response.
type CallError struct {
	Target string
	// Sent is false when the request certainly never left this process: it is safe to send it again. When it is true
	// the request may have taken effect, or may yet.
	Sent bool
	Err  error
}

func (e *CallError) Error() string { return fmt.Sprintf("call %s: %v", e.Target, e.Err) }

// Unwrap returns the reason.
func (e *CallError) Unwrap() error { return e.Err }

// call is one waiting caller. It is reused after its result was taken.
type call struct {
	done chan struct{} // one token when resp or err is set
	resp *clusterpb.Response
	err  error
	sent bool // guarded by the link's mutex while the call is pending
	late bool // nobody waits: the response goes to Options.Late

	ofLeader bool // only the leader can answer it
}

func newCall() *call { return &call{done: make(chan struct{}, 1)} }

func (c *call) finish(resp *clusterpb.Response, err error) {
	c.resp, c.err = resp, err
	c.done <- struct{}{}
}

// counters count what the port's calls cost.
type counters struct{ calls, frames atomic.Uint64 }

// Stats are totals since the port was opened.
type Stats struct {
	Calls  uint64 // requests put on the wire by Port.Call, cancels included
	Frames uint64 // messages they travelled in
}

// Stats returns how well calls share frames.
func (p *Port) Stats() Stats {
	return Stats{Calls: p.stats.calls.Load(), Frames: p.stats.frames.Load()}
}

// Call sends req to the member target and waits for its response, which may be a Failure. The time left until ctx's
// deadline travels with it. Errors are *CallError; after one that ends with ctx, a Receive is cancelled at the member.
// req is neither kept nor changed.
//
// The calls to one member share one stream. It is opened by the first; after a failure, calls fail at once until the
// back-off (50 ms to 1 s) has passed.
func (p *Port) Call(ctx context.Context, target string, req *clusterpb.Request) (*clusterpb.Response, error) {
	return p.CallUntil(ctx, nil, target, req)
}

// CallUntil is Call for a Receive that waits: when enough is closed, the member is told to wait no longer. Its response
// comes all the same.
func (p *Port) CallUntil(ctx context.Context, enough <-chan struct{}, target string, req *clusterpb.Request) (*clusterpb.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, &CallError{Target: target, Err: err}
	}
	l, err := p.link(target)
	if err != nil {
		return nil, &CallError{Target: target, Err: err}
	}
	id := l.lastID.Add(1)
	it, err := encodeItem(req, id, timeoutMs(ctx))
	if err != nil {
		return nil, &CallError{Target: target, Err: err}
	}
	c := p.calls.Get().(*call)
	c.ofLeader = onlyLeaderAnswers(req)
	if err := l.enqueue(it, c); err != nil {
		p.calls.Put(c)
		return nil, &CallError{Target: target, Err: err}
	}
	for {
		select {
		case <-c.done:
			return p.result(c)
		case <-enough:
			if err := l.hurry(id); err != nil {
				return nil, err
			}
			enough = nil
		case <-ctx.Done():
			if err := l.abandon(id, ctx.Err(), req.GetReceive() != nil); err != nil {
				return nil, err // c is dropped from the pending calls and left to the collector
			}
			<-c.done // the response, or the stream's end, had come first
			return p.result(c)
		}
	}
}

// result empties c and gives it back for the next caller.
func (p *Port) result(c *call) (*clusterpb.Response, error) {
	resp, err := c.resp, c.err
	*c = call{done: c.done}
	p.calls.Put(c)
	return resp, err
}

// ErrDeposed is the reason of a CallError when the member is not the leader any more.
var ErrDeposed = errors.New("the member is not the leader any more")

// Depose ends all calls to a member that only the leader can answer. One that hangs, as a stopped process does, would
// keep their callers waiting though another member leads.
func (p *Port) Depose(target string) {
	p.mu.Lock()
	l := p.links[target]
	p.mu.Unlock()
	if l != nil {
		l.depose()
	}
}

func onlyLeaderAnswers(req *clusterpb.Request) bool {
	switch req.Op.(type) {
	case *clusterpb.Request_Propose, *clusterpb.Request_Receive, *clusterpb.Request_Read:
		return true
	}
	return false
}

// timeoutMs is what is left until ctx's deadline, at least 1, or 0 without a deadline.
func timeoutMs(ctx context.Context) int64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(1, time.Until(deadline).Milliseconds())
}

// link returns the link to target.
func (p *Port) link(target string) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	l := p.links[target]
	if l == nil {
		l = newLink(p, target)
		p.links[target] = l
	}
	return l, nil
}

// errClosed is the reason of every call on a closed port.
var errClosed = errors.New("the cluster port is closed")
