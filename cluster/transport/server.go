package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

const (
	// streamWindow and connWindow let a full frame of each direction be under way; fixed sizes also spare gRPC's
	// probing of the connection.
	streamWindow = 4 << 20
	connWindow   = 8 << 20
	// maxHandled bounds the bytes of one member's requests that have no response yet.
	maxHandled = 64 << 20
)

// Codes of the Failures that the transport itself answers with.
const (
	CodeOverloaded = "overloaded"         // nothing was done
	CodeTooLarge   = "response_too_large" // the request was handled, its response does not fit
)

// Handler serves requests of other members.
type Handler interface {
	// Handle must not block: it runs on the goroutine that reads the member's stream. sender is the id that the member
	// proved. respond is called exactly once, from any goroutine, now or later, also after the request was cancelled;
	// a cancel request itself has no response, and respond does nothing then. respond does not keep its argument. ctx
	// ends with the stream.
	Handle(ctx context.Context, sender string, req *clusterpb.Request, respond func(*clusterpb.Response))
}

// newPeerServer is the gRPC server of the rpc service. TLS and the checks of the preamble are below it.
func newPeerServer(p *Port) *grpc.Server {
	s := grpc.NewServer(
		grpc.Creds(preambleCredentials{}),
		grpc.ForceServerCodecV2(frameCodec{}),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
		grpc.WaitForHandlers(true),
	)
	clusterpb.RegisterPeerServer(s, &peerServer{port: p})
	return s
}

// preambleCredentials hands the id that the preamble proved to the stream's context.
type preambleCredentials struct{}

// proven is the AuthInfo of a connection whose preamble was accepted.
type proven struct {
	credentials.CommonAuthInfo
	id string
}

func (proven) AuthType() string { return "preamble" }

func (preambleCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	m, ok := c.(*memberConn)
	if !ok {
		return nil, nil, fmt.Errorf("rpc over %T: it has no preamble", c)
	}
	level := credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}
	return c, proven{CommonAuthInfo: level, id: m.peer}, nil
}

func (preambleCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are the server's")
}

func (preambleCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "preamble"}
}

func (c preambleCredentials) Clone() credentials.TransportCredentials { return c }

func (preambleCredentials) OverrideServerName(string) error { return nil }

// peerServer implements clusterpb.Peer.
type peerServer struct {
	clusterpb.UnimplementedPeerServer
	port *Port
}

// Exchange serves the stream of one member.
func (s *peerServer) Exchange(stream clusterpb.Peer_ExchangeServer) error {
	info, ok := peer.FromContext(stream.Context())
	if !ok {
		return errors.New("the stream has no peer")
	}
	auth, ok := info.AuthInfo.(proven)
	if !ok {
		return fmt.Errorf("the peer is authenticated by %T", info.AuthInfo)
	}
	e := &exchange{handler: s.port.opts.Handler, sender: auth.id, out: newOutbox(), room: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(stream.Context())
	var writer sync.WaitGroup
	writer.Go(func() { e.write(ctx, stream) })
	defer writer.Wait()
	defer cancel()
	return e.read(ctx, stream)
}

// exchange is one member's stream on the serving side.
type exchange struct {
	handler Handler
	sender  string
	room    chan struct{} // one token when the outbox has shrunk

	mu      sync.Mutex
	out     outbox
	handled int  // bytes of the requests without a response
	ended   bool // responses are dropped
}

func (e *exchange) read(ctx context.Context, stream clusterpb.Peer_ExchangeServer) error {
	defer e.end()
	for {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, req := range f.Requests {
			e.handle(ctx, req)
		}
		if err := e.waitForRoom(ctx); err != nil {
			return err
		}
	}
}

// handle passes one request on, or answers at once that the member asks for too much.
func (e *exchange) handle(ctx context.Context, req *clusterpb.Request) {
	if req.GetCancel() != 0 {
		e.handler.Handle(ctx, e.sender, req, func(*clusterpb.Response) {})
		return
	}
	id, size := req.Id, requestSize(req)
	if !e.admit(size) {
		e.push(id, failure(CodeOverloaded, "too many bytes of this member are being handled", false), 0)
		return
	}
	e.handler.Handle(ctx, e.sender, req, func(resp *clusterpb.Response) { e.push(id, resp, size) })
}

// requestSize is what a request roughly occupies while it is handled. Only the two kinds that carry callers' data are
// measured; the others are small.
func requestSize(req *clusterpb.Request) int {
	const rest = 256
	return rest + len(req.GetPropose()) + len(req.GetReceive().GetCommand())
}

func (e *exchange) admit(size int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.handled+size > maxHandled {
		return false
	}
	e.handled += size
	return true
}

// push queues the response to the request id and takes the request's size off.
func (e *exchange) push(id uint64, resp *clusterpb.Response, size int) {
	it, err := encodeItem(resp, id, 0)
	if err != nil {
		it, err = encodeItem(failure(CodeTooLarge, err.Error(), true), id, 0)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handled -= size
	if err == nil && !e.ended {
		e.out.push(it)
	}
}

func failure(code, detail string, unknown bool) *clusterpb.Response {
	return &clusterpb.Response{Result: &clusterpb.Response_Failure{
		Failure: &clusterpb.Failure{Code: code, Detail: detail, Unknown: unknown},
	}}
}

// waitForRoom stops reading while the member does not take its responses.
func (e *exchange) waitForRoom(ctx context.Context) error {
	for e.queued() > maxQueued {
		select {
		case <-e.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (e *exchange) queued() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.out.bytes
}

func (e *exchange) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	e.out.items, e.out.bytes = nil, 0
}

// write sends responses until the stream ends; see link.write for the Gosched. A failed send needs no report: the
// stream has ended then, which the reader sees.
func (e *exchange) write(ctx context.Context, stream clusterpb.Peer_ExchangeServer) {
	var batch []item
	for {
		select {
		case <-e.out.wake:
		case <-ctx.Done():
			return
		}
		runtime.Gosched()
		for batch = e.take(batch[:0]); len(batch) > 0; batch = e.take(batch[:0]) {
			if err := stream.SendMsg(newFrame(batch)); err != nil {
				return
			}
			clear(batch)
		}
	}
}

func (e *exchange) take(batch []item) []item {
	e.mu.Lock()
	defer e.mu.Unlock()
	batch = e.out.take(batch)
	select {
	case e.room <- struct{}{}:
	default:
	}
	return batch
}
