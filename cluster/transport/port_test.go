package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// rawDial speaks TLS to p with certificate (nil: none), sends first and returns the answer.
func rawDial(t *testing.T, p *Port, certificate *tls.Certificate, first []byte) (*tls.Conn, error) {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	conn, err := tls.Dial("tcp", p.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeQuietly(conn) })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(first); err != nil {
		t.Fatal(err)
	}
	return conn, readAnswer(conn)
}

func TestPreambleMismatches(t *testing.T) {
	ca, foreign := newTestCA(t, testCluster), newTestCA(t, testCluster)
	good := preamble{service: serviceRPC, cluster: testCluster, sender: "a", receiver: "b"}
	cert := ca.identity(t, "a").Certificate
	foreignCert := foreign.identity(t, "a").Certificate
	expired := ca.identityAt(t, "a", time.Now().Add(-2*certificateLife)).Certificate
	authority := tls.Certificate{Certificate: [][]byte{ca.cert}, PrivateKey: must(ParseKey(ca.key))(t)}
	with := func(change func(*preamble)) preamble {
		p := good
		change(&p)
		return p
	}
	tests := []struct {
		name   string
		cert   *tls.Certificate
		pre    preamble
		reason string
	}{
		{"no certificate", nil, good, "no certificate was shown"},
		{"another CA", &foreignCert, good, "certificate is not accepted"},
		{"expired", &expired, good, "certificate is not accepted"},
		{"the CA's own certificate", &authority, with(func(p *preamble) { p.sender = "FastQueue cluster CA" }), "certificate is not one of a member"},
		{"sender", &cert, with(func(p *preamble) { p.sender = "c" }), "the certificate is of a, the preamble of c"},
		{"cluster", &cert, with(func(p *preamble) { p.cluster = "cluster-2" }), "belongs to the cluster cluster-1, not to cluster-2"},
		{"receiver", &cert, with(func(p *preamble) { p.receiver = "d" }), "this node is b, not d"},
		{"group", &cert, with(func(p *preamble) { p.group = 9 }), "raft group 9 is not served here"},
		{"service", &cert, with(func(p *preamble) { p.service = 77 }), "service 77 is not known here"},
		{"raft without certificate", nil, with(func(p *preamble) { p.service = serviceRaft }), "no certificate was shown"},
		{"join with names", nil, with(func(p *preamble) { p.service = serviceJoin }), "names neither itself nor a cluster"},
		{"join not served", nil, preamble{service: serviceJoin}, "join is not served here"},
	}
	handled := make(chan struct{}, 1)
	p := memberPort(t, ca, newDirectory(), "b", Options{Handler: handlerFunc(
		func(context.Context, string, *clusterpb.Request, func(*clusterpb.Response)) { handled <- struct{}{} })})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			first := must(test.pre.encode())(t)
			conn, err := rawDial(t, p, test.cert, first)
			var r *refusal
			if !errors.As(err, &r) || !strings.Contains(r.text, test.reason) {
				t.Errorf("answer %v, want a refusal with %q", err, test.reason)
			}
			if test.cert == nil && err != nil && strings.Contains(err.Error(), testCluster) {
				t.Errorf("a stranger was told the cluster id: %v", err)
			}
			if n, err := conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes after a refusal", n)
			}
		})
	}
	if len(handled) > 0 {
		t.Error("a refused connection reached the service")
	}
}

func TestPreambleOfAnotherVersion(t *testing.T) {
	p := listen(t, Options{})
	b := must(preamble{service: serviceJoin}.encode())(t)
	b[len(preambleMagic)] = 9
	var r *refusal
	if _, err := rawDial(t, p, nil, b); !errors.As(err, &r) || !strings.Contains(r.text, "protocol version 9") {
		t.Errorf("answer %v, want a refusal that names version 9", err)
	}
	if _, err := rawDial(t, p, nil, []byte("GET / HTTP/1.1\r\n\r\n")); !errors.Is(err, io.EOF) {
		t.Errorf("answer to something else: %v, want none", err)
	}
}

func TestNodeWithoutClusterServesNoMember(t *testing.T) {
	ca, d := newTestCA(t, testCluster), newDirectory()
	a := memberPort(t, ca, d, "a", Options{})
	empty := listen(t, Options{})
	d.set("b", empty.Addr().String())
	if _, err := a.dialMember(contextFor(t), "b", serviceRaft, 0); err == nil {
		t.Error("a member connected to a node of no cluster")
	}
	if _, err := empty.RaftLayer().Dial("a", 0); err == nil || !strings.Contains(err.Error(), "no cluster yet") {
		t.Errorf("a node of no cluster dialed: %v", err)
	}
}

func TestDialerChecksWhoAnswers(t *testing.T) {
	d := newDirectory()
	ca, foreign := newTestCA(t, testCluster), newTestCA(t, testCluster)
	a := memberPort(t, ca, d, "a", Options{})
	b := memberPort(t, ca, d, "b", Options{})
	stranger := memberPort(t, foreign, newDirectory(), "c", Options{})
	d.set("c", b.Addr().String())
	if _, err := a.RaftLayer().Dial("c", 0); err == nil || !strings.Contains(err.Error(), "b answered in place of c") {
		t.Errorf("another member at the address: %v", err)
	}
	d.set("c", stranger.Addr().String())
	if _, err := a.RaftLayer().Dial("c", 0); err == nil || !strings.Contains(err.Error(), "certificate is not accepted") {
		t.Errorf("a node of another CA at the address: %v", err)
	}
	if _, err := a.RaftLayer().Dial("nobody", 0); err == nil {
		t.Error("an id without address was dialed")
	}
}

func TestRaftLayerCarriesBytes(t *testing.T) {
	ca, d := newTestCA(t, testCluster), newDirectory()
	a := memberPort(t, ca, d, "a", Options{})
	b := memberPort(t, ca, d, "b", Options{})
	if got := b.RaftLayer().Addr().String(); got != "b" {
		t.Errorf("the raft layer's address is %q, want the id", got)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := b.RaftLayer().Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- c
	}()
	out := must(a.RaftLayer().Dial("b", patience))(t)
	in := receive(t, "the connection is accepted", accepted)
	if _, err := out.Write([]byte("append")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "append" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := b.RaftLayer().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.RaftLayer().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
}

func TestCloseEndsOpenConnections(t *testing.T) {
	ca, d := newTestCA(t, testCluster), newDirectory()
	a := memberPort(t, ca, d, "a", Options{})
	b := memberPort(t, ca, d, "b", Options{Handler: handlerFunc(echo)})
	c := must(a.dialMember(contextFor(t), "b", serviceRPC, 0))(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Logf("the connection ended with %v", err)
	}
	eventually(t, "b forgets its connections", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.conns) == 0
	})
	if err := b.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// TestRaftPairReplicates runs raft itself over the port, with ids as server addresses.
func TestRaftPairReplicates(t *testing.T) {
	ca, d := newTestCA(t, testCluster), newDirectory()
	servers := []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b"}}
	fsms := map[string]*raft.MockFSM{"a": {}, "b": {}}
	nodes := make(map[string]*raft.Raft)
	for id, fsm := range fsms {
		p := memberPort(t, ca, d, id, Options{})
		trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: p.RaftLayer(), MaxPool: 3, Timeout: patience, MaxRPCsInFlight: 1, MsgpackUseNewTimeFormat: true,
		})
		config := raft.DefaultConfig()
		config.LocalID = raft.ServerID(id)
		config.LogLevel = "ERROR"
		store := raft.NewInmemStore()
		snapshots := raft.NewInmemSnapshotStore()
		if err := raft.BootstrapCluster(config, store, store, snapshots, trans, raft.Configuration{Servers: servers}); err != nil {
			t.Fatal(err)
		}
		nodes[id] = must(raft.NewRaft(config, fsm, store, store, snapshots, trans))(t)
		t.Cleanup(func() {
			if err := errors.Join(nodes[id].Shutdown().Error(), trans.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	var leader *raft.Raft
	eventually(t, "a leader is elected", func() bool {
		for _, n := range nodes {
			if n.State() == raft.Leader {
				leader = n
			}
		}
		return leader != nil
	})
	if err := leader.Apply([]byte("x"), patience).Error(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both apply the entry", func() bool {
		return len(fsms["a"].Logs()) == 1 && len(fsms["b"].Logs()) == 1
	})
	for _, n := range nodes {
		address, id := n.LeaderWithID()
		if string(address) != string(id) {
			t.Errorf("the leader %s has the address %s", id, address)
		}
	}
}
