package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// dialMember opens a connection of service s to the member id and returns once that member has accepted it. The whole
// takes at most timeout, or openTimeout when that is zero.
func (p *Port) dialMember(ctx context.Context, id string, s service, timeout time.Duration) (net.Conn, error) {
	if timeout <= 0 {
		timeout = openTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := p.identity.Load()
	if !m.belongs() {
		return nil, fmt.Errorf("dial %s: this node belongs to no cluster yet", id)
	}
	raw, err := p.dialAddress(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", id, err)
	}
	conn := tls.Client(raw, m.clientConfig(id))
	pre := preamble{service: s, group: p.opts.Group, cluster: m.ClusterID, sender: m.ID, receiver: id}
	if err := p.introduce(ctx, conn, pre); err != nil {
		closeQuietly(raw)
		p.forget(raw)
		return nil, fmt.Errorf("dial %s at %s: %w", id, raw.RemoteAddr(), err)
	}
	return p.newMemberConn(conn, id), nil
}

func (p *Port) dialAddress(ctx context.Context, id string) (net.Conn, error) {
	if p.opts.Addresses == nil {
		return nil, errors.New("no addresses are known")
	}
	address, ok := p.opts.Addresses(id)
	if !ok {
		return nil, errors.New("its address is not known")
	}
	raw, err := p.opts.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if err := p.track(raw); err != nil {
		closeQuietly(raw)
		return nil, err
	}
	return raw, nil
}

// introduce performs the handshake and the preamble within ctx.
func (p *Port) introduce(ctx context.Context, conn *tls.Conn, pre preamble) error {
	return within(ctx, conn, func() error {
		if err := conn.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		return sendPreamble(conn, pre)
	})
}

func sendPreamble(conn net.Conn, pre preamble) error {
	b, err := pre.encode()
	if err != nil {
		return err
	}
	if _, err := conn.Write(b); err != nil {
		return fmt.Errorf("send preamble: %w", err)
	}
	return readAnswer(conn)
}

// within runs f and makes the reads and writes of conn fail as soon as ctx ends.
func within(ctx context.Context, conn net.Conn, f func() error) error {
	interrupted := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { interrupted <- conn.SetDeadline(time.Unix(1, 0)) })
	err := f()
	if stop() {
		return err
	}
	if dead := <-interrupted; dead != nil && err == nil {
		return fmt.Errorf("set deadline: %w", dead)
	}
	// The connection is unusable even if f got through.
	return errors.Join(ctx.Err(), err)
}
