package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// serve takes a new connection through handshake and preamble and hands it to its service.
func (p *Port) serve(raw net.Conn) {
	opening := true
	opened := func() {
		if opening {
			opening = false
			<-p.opens
		}
	}
	defer opened()
	if err := p.track(raw); err != nil {
		p.opts.Logger.Debug("cannot set up a connection", "remote", raw.RemoteAddr(), "error", err)
		closeQuietly(raw)
		return
	}
	m := p.identity.Load()
	conn := tls.Server(raw, m.serverConfig(p.ephemeral))
	pre, err := p.open(conn, m)
	if err != nil {
		p.logRefusal(raw.RemoteAddr(), pre, err)
		closeQuietly(conn)
		p.forget(raw)
		return
	}
	opened()
	p.dispatch(p.newMemberConn(conn, pre.sender), pre.service)
}

func (p *Port) logRefusal(remote net.Addr, pre preamble, err error) {
	var r *refusal
	if errors.As(err, &r) {
		p.opts.Logger.Warn("connection refused", "remote", remote, "service", pre.service, "sender", pre.sender, "reason", r.text)
		return
	}
	p.opts.Logger.Debug("connection ended before its preamble", "remote", remote, "error", err)
}

// open performs the handshake, reads the preamble and answers it. Nothing behind the preamble has been read.
func (p *Port) open(conn *tls.Conn, m *member) (preamble, error) {
	ctx, cancel := context.WithTimeout(p.ctx, openTimeout)
	defer cancel()
	if err := conn.SetDeadline(time.Now().Add(openTimeout)); err != nil {
		return preamble{}, fmt.Errorf("set deadline: %w", err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return preamble{}, fmt.Errorf("TLS handshake: %w", err)
	}
	pre, err := readPreamble(conn)
	var version errVersion
	if errors.As(err, &version) {
		return pre, answer(conn, refuse("%s", version.Error()))
	}
	if err != nil {
		return pre, err
	}
	if r := p.check(m, conn.ConnectionState(), pre); r != nil {
		return pre, answer(conn, r)
	}
	if err := acceptPreamble(conn); err != nil {
		if pre.service == serviceJoin {
			<-p.joins // dispatch will not
		}
		return pre, err
	}
	return pre, nil
}

// acceptPreamble answers ok and lifts the deadline of the opening.
func acceptPreamble(conn *tls.Conn) error {
	if err := writeAnswer(conn, nil); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear deadline: %w", err)
	}
	return nil
}

// answer tells the other side why it is refused, and returns that as an error.
func answer(conn *tls.Conn, r *refusal) error {
	if err := writeAnswer(conn, r); err != nil {
		return errors.Join(r, err)
	}
	return r
}

// check decides about a preamble. The certificate comes first: who has none learns nothing about the cluster.
func (p *Port) check(m *member, state tls.ConnectionState, pre preamble) *refusal {
	switch pre.service {
	case serviceJoin:
		return p.checkJoin(pre)
	case serviceRaft, serviceRPC:
	default:
		return refuse("%s is not known here", pre.service)
	}
	if !m.belongs() {
		return refuse("this node belongs to no cluster yet")
	}
	peer, err := m.peerID(state, x509.ExtKeyUsageClientAuth)
	switch {
	case err != nil:
		return refuse("%s needs a certificate of this cluster: %v", pre.service, err)
	case peer != pre.sender:
		return refuse("the certificate is of %s, the preamble of %s", peer, pre.sender)
	case pre.cluster != m.ClusterID:
		return refuse("this node belongs to the cluster %s, not to %s", m.ClusterID, pre.cluster)
	case pre.receiver != m.ID:
		return refuse("this node is %s, not %s", m.ID, pre.receiver)
	case pre.group != p.opts.Group:
		return refuse("raft group %d is not served here", pre.group)
	case pre.service == serviceRPC && p.opts.Handler == nil:
		return refuse("rpc is not served here")
	}
	return nil
}

// checkJoin takes a place among the joins; dispatch gives it back when the join has ended.
func (p *Port) checkJoin(pre preamble) *refusal {
	if pre.cluster != "" || pre.sender != "" || pre.receiver != "" || pre.group != 0 {
		return refuse("a joining node names neither itself nor a cluster in its preamble")
	}
	if p.opts.JoinKeys == nil || p.opts.Admit == nil {
		return refuse("join is not served here")
	}
	select {
	case p.joins <- struct{}{}:
		return nil
	default:
		return &refusal{code: answerBusy, text: "too many nodes are joining at once"}
	}
}

func (p *Port) dispatch(c *memberConn, s service) {
	switch s {
	case serviceRaft:
		p.raft.deliver(c)
	case serviceRPC:
		p.rpc.deliver(c)
	case serviceJoin:
		defer func() { <-p.joins }()
		defer closeQuietly(c)
		if err := p.serveJoin(c); err != nil {
			p.opts.Logger.Warn("join failed", "remote", c.RemoteAddr(), "error", err)
		}
	}
}
