package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = time.Second
)

// link carries the calls to one member over one stream. It has goroutines only while it is running: one that connects
// and writes, and one that reads.
type link struct {
	port   *Port
	target string
	lastID atomic.Uint64

	mu      sync.Mutex
	out     outbox
	pending map[uint64]*call
	running bool
	proven  bool          // the running stream has carried a response
	backoff time.Duration // of the last failure
	retryAt time.Time     // calls fail at once until then
	failure error         // why the last stream ended
}

func newLink(p *Port, target string) *link {
	return &link{port: p, target: target, out: newOutbox(), pending: make(map[uint64]*call)}
}

// enqueue queues one request and makes sure that somebody sends it.
func (l *link) enqueue(it item, c *call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		if wait := time.Until(l.retryAt); wait > 0 {
			return fmt.Errorf("not connected, next attempt in %d ms: %w", wait.Milliseconds()+1, l.failure)
		}
		if !l.port.start(l.run) {
			return errClosed
		}
		l.running, l.proven = true, false
	}
	if l.out.bytes+len(it.bytes) > maxQueued {
		return ErrOverloaded
	}
	l.pending[it.id] = c
	l.out.push(it)
	return nil
}

// abandon gives up the call id. It returns nil when the call has ended or is about to, and its result must be taken.
func (l *link) abandon(id uint64, reason error, receive bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.pending[id]
	if !ok {
		return nil
	}
	sent := c.sent
	if !sent || !receive {
		delete(l.pending, id) // still queued: take leaves it out
		return &CallError{Target: l.target, Sent: sent, Err: reason}
	}
	c.late = true
	return &CallError{Target: l.target, Sent: sent, Err: errors.Join(reason, l.cancel(id))}
}

// hurry has a receive wait no longer at the member. Its caller goes on waiting for the response.
func (l *link) hurry(id uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.pending[id]; ok {
		if err := l.cancel(id); err != nil {
			delete(l.pending, id)
			return &CallError{Target: l.target, Sent: c.sent, Err: err}
		}
	}
	return nil
}

// cancel tells the member to end the waiting of a receive. The caller holds the mutex.
func (l *link) cancel(id uint64) error {
	it, err := encodeItem(&clusterpb.Request{Op: &clusterpb.Request_Cancel{Cancel: id}}, l.lastID.Add(1), 0)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	it.oneWay = true
	l.out.push(it)
	return nil
}

// depose ends the calls that only a leader can answer. Their responses, if they still come, find nobody.
func (l *link) depose() {
	l.mu.Lock()
	var ended []*call
	for id, c := range l.pending {
		if c.ofLeader && !c.late {
			ended = append(ended, c)
			delete(l.pending, id)
		}
	}
	l.mu.Unlock()
	for _, c := range ended {
		c.finish(nil, &CallError{Target: l.target, Sent: c.sent, Err: ErrDeposed})
	}
}

// run lives as long as one stream.
func (l *link) run() {
	ctx, cancel := context.WithCancel(l.port.ctx)
	defer cancel()
	err := l.exchange(ctx)
	if l.port.ctx.Err() != nil {
		err = errClosed
	}
	l.port.opts.Logger.Debug("stream to member ended", "member", l.target, "error", err)
	l.fail(err)
}

// exchange opens the stream and serves it until it breaks.
func (l *link) exchange(ctx context.Context) error {
	conn, err := l.port.dialMember(ctx, l.target, serviceRPC, openTimeout)
	if err != nil {
		return err
	}
	defer closeQuietly(conn)
	cc, err := newClient(l.target, conn)
	if err != nil {
		return err
	}
	defer closeQuietly(cc)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stream, err := clusterpb.NewPeerClient(cc).Exchange(ctx, grpc.ForceCodecV2(frameCodec{}))
	if err != nil {
		return fmt.Errorf("open stream: %w", err)
	}
	var reader sync.WaitGroup
	reader.Go(func() { cancel(l.read(stream)) })
	err = l.write(ctx, stream)
	cancel(err)
	reader.Wait()
	return context.Cause(ctx)
}

// newClient speaks gRPC over conn, and over nothing else: connecting again is the link's decision. TLS is below.
func newClient(target string, conn net.Conn) (*grpc.ClientConn, error) {
	once := make(chan net.Conn, 1)
	once <- conn
	cc, err := grpc.NewClient("passthrough:///"+target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, net.ErrClosed
			}
		}),
		grpc.WithDisableRetry(),
		grpc.WithNoProxy(),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("new gRPC client: %w", err)
	}
	return cc, nil
}

// write sends what is queued until ctx or the stream ends. Gosched lets the callers that run at this moment queue too:
// without it a woken writer runs before them and sends frames of one.
func (l *link) write(ctx context.Context, stream clusterpb.Peer_ExchangeClient) error {
	var batch []item
	for {
		select {
		case <-l.out.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		runtime.Gosched()
		for batch = l.take(batch[:0]); len(batch) > 0; batch = l.take(batch[:0]) {
			l.port.stats.calls.Add(uint64(len(batch)))
			l.port.stats.frames.Add(1)
			err := stream.SendMsg(newFrame(batch))
			if errors.Is(err, io.EOF) { // the stream has ended, and the reader learns why
				<-ctx.Done()
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("send frame: %w", err)
			}
			clear(batch)
		}
	}
}

// take moves the next frame's requests to batch, without those that were abandoned, and marks them sent. It returns
// nothing only when nothing is queued.
func (l *link) take(batch []item) []item {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(batch) == 0 && len(l.out.items) > 0 {
		kept := batch
		for _, it := range l.out.take(batch) {
			if it.oneWay {
				kept = append(kept, it)
			} else if c, ok := l.pending[it.id]; ok {
				c.sent = true
				kept = append(kept, it)
			}
		}
		batch = kept
	}
	return batch
}

// read delivers responses until the stream ends.
func (l *link) read(stream clusterpb.Peer_ExchangeClient) error {
	var calls []*call
	for {
		f, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("stream ended: %w", err)
		}
		calls = l.claim(f.Responses, calls[:0])
		for i, c := range calls {
			switch {
			case c == nil: // its caller has gone
			case c.late:
				if late := l.port.opts.Late; late != nil {
					late(l.target, f.Responses[i])
				}
			default:
				c.finish(f.Responses[i], nil)
			}
		}
		clear(calls)
	}
}

// claim takes the calls of responses out of the pending ones, one for each, nil for those that nobody waits for.
func (l *link) claim(responses []*clusterpb.Response, calls []*call) []*call {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proven = true
	for _, r := range responses {
		calls = append(calls, l.pending[r.Id])
		delete(l.pending, r.Id)
	}
	return calls
}

// fail ends all calls of a stream that broke, and sets when the next may be tried.
func (l *link) fail(err error) {
	l.mu.Lock()
	failed := l.pending
	l.pending = make(map[uint64]*call)
	l.out = newOutbox()
	l.running = false
	l.failure = err
	l.backoff = min(2*l.backoff, maxBackoff)
	if l.proven || l.backoff == 0 {
		l.backoff = minBackoff
	}
	l.retryAt = time.Now().Add(l.backoff)
	l.mu.Unlock()
	for _, c := range failed {
		if !c.late {
			c.finish(nil, &CallError{Target: l.target, Sent: c.sent, Err: err})
		}
	}
}
