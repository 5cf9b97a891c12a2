package transport

import (
	"context"
	"crypto/hmac"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	maxJoins    = 10
	joinTimeout = 10 * time.Second
	// joinPatience is a little more than the member takes at most, so that its own answer arrives.
	joinPatience = joinTimeout + 2*time.Second
)

// What Join can fail with, beside a *RefusedError. Each is wrapped with the address and what to do.
var (
	ErrWrongToken   = errors.New("the join token is not one of this cluster")
	ErrUnreachable  = errors.New("no member answers")
	ErrNotFastQueue = errors.New("this is not the cluster port of a FastQueue node")
	ErrJoinBusy     = errors.New("too many nodes are joining there at once")
)

// RefusedError is the refusal of a member that has proved that it knows the token.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Join asks the node at addr (host:port) with req and returns its answer, both proved with the key that JoinKey derives
// from the token. Nothing of the answer is believed, and nothing returned, without the member's proof. It takes at most
// 12 s; a nil dial is plain TCP. req is not changed.
func Join(ctx context.Context, addr string, key []byte, req *clusterpb.JoinRequest, dial DialFunc) (*clusterpb.JoinResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	raw, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("join through %s: %w: %w: check the address and that the node runs", addr, ErrUnreachable, err)
	}
	defer closeQuietly(raw)
	// The certificate proves nothing to a node that knows only the token; the exporter of this session does.
	conn := tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true})
	var resp *clusterpb.JoinResponse
	err = within(ctx, conn, func() error {
		if err := openJoin(ctx, conn); err != nil {
			return err
		}
		resp, err = exchangeJoin(conn, key, req)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("join through %s: %w", addr, err)
	}
	return resp, nil
}

// openJoin turns what can go wrong before the first message into what it means for the operator.
func openJoin(ctx context.Context, conn *tls.Conn) error {
	err := conn.HandshakeContext(ctx)
	if err == nil {
		err = sendPreamble(conn, preamble{service: serviceJoin})
	}
	var r *refusal
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: the connection opened, but nothing came back in time", ErrUnreachable)
	case errors.As(err, &r) && r.code == answerBusy:
		return fmt.Errorf("%w: try again in a few seconds", ErrJoinBusy)
	case errors.As(err, &r):
		// The text is not shown: nobody has proved anything yet.
		return errors.New("the node there does not take joining nodes: check that it runs the same release")
	default:
		return fmt.Errorf("%w: %w: TARGET is the cluster address of a member, by default on port 9081", ErrNotFastQueue, err)
	}
}

func exchangeJoin(conn *tls.Conn, key []byte, req *clusterpb.JoinRequest) (*clusterpb.JoinResponse, error) {
	value, err := exporter(conn.ConnectionState())
	if err != nil {
		return nil, err
	}
	unproved := proto.CloneOf(req)
	unproved.Proof = nil
	message, err := sealed(unproved, requestProof, key, roleJoiner, value)
	if err != nil {
		return nil, err
	}
	if err := writeMessage(conn, message, maxJoinRequest); err != nil {
		return nil, err
	}
	raw, err := readMessage(conn, maxJoinResponse)
	if err != nil {
		return nil, err
	}
	resp, body, err := decodeJoinResponse(raw)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(resp.Proof, prove(key, roleMember, value, body)) {
		return nil, fmt.Errorf("%w: copy it again from the first node's join-token file", ErrWrongToken)
	}
	if resp.Refusal != "" {
		return nil, &RefusedError{Reason: resp.Refusal}
	}
	return resp, nil
}

// serveJoin answers one joining node.
func (p *Port) serveJoin(c *memberConn) error {
	ctx, cancel := context.WithTimeout(p.ctx, p.opts.joinTimeout)
	defer cancel()
	return within(ctx, c, func() error {
		value, err := exporter(c.ConnectionState())
		if err != nil {
			return err
		}
		raw, err := readMessage(c, maxJoinRequest)
		if err != nil {
			return err
		}
		req, body, err := decodeJoinRequest(raw)
		if err != nil {
			return err
		}
		key := provenKey(p.opts.JoinKeys(), value, body, req.Proof)
		if key == nil {
			return refuseJoin(c)
		}
		return p.answerJoin(ctx, c, key, value, req)
	})
}

// provenKey returns the key with which the request was proved. All keys are tried, each in constant time.
func provenKey(keys []*fsmpb.JoinKey, exporter, body, proof []byte) []byte {
	var found []byte
	for _, k := range keys {
		if len(k.GetKey()) == 0 { // a MAC under an empty key proves nothing
			continue
		}
		if hmac.Equal(proof, prove(k.Key, roleJoiner, exporter, body)) {
			found = k.Key
		}
	}
	return found
}

// refuseJoin says the same one line to everybody who has not proved the token.
func refuseJoin(c *memberConn) error {
	b, err := proto.Marshal(&clusterpb.JoinResponse{Refusal: ErrWrongToken.Error()})
	if err != nil {
		return fmt.Errorf("encode refusal: %w", err)
	}
	return errors.Join(ErrWrongToken, writeMessage(c, b, maxJoinResponse))
}

func (p *Port) answerJoin(ctx context.Context, c *memberConn, key, exporter []byte, req *clusterpb.JoinRequest) error {
	req.Proof = nil
	resp := p.opts.Admit(ctx, c.RemoteAddr(), req)
	if resp == nil {
		resp = &clusterpb.JoinResponse{Refusal: "the member could not decide, see its log"}
	}
	resp.Proof = nil
	message, err := sealed(resp, responseProof, key, roleMember, exporter)
	if err != nil {
		return err
	}
	return writeMessage(c, message, maxJoinResponse)
}
