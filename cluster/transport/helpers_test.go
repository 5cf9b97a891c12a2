package transport

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	patience     = 20 * time.Second
	testCluster  = "cluster-1"
	pollInterval = 2 * time.Millisecond
)

// eventually polls condition until it holds. It is the only place where these tests wait for time to pass.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s in vain: %s", patience, what)
		panic("unreachable")
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func contextFor(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// testCA signs identities of one cluster.
type testCA struct {
	cluster   string
	cert, key []byte
}

func newTestCA(t testing.TB, cluster string) *testCA {
	t.Helper()
	cert, key, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	return &testCA{cluster: cluster, cert: cert, key: key}
}

func (ca *testCA) identity(t testing.TB, id string) Identity {
	t.Helper()
	return ca.identityAt(t, id, time.Now())
}

func (ca *testCA) identityAt(t testing.TB, id string, now time.Time) Identity {
	t.Helper()
	key := must(NewKey())(t)
	public := must(PublicKey(key))(t)
	cert := must(Sign(ca.cert, ca.key, id, public, now))(t)
	return must(NewIdentity(ca.cluster, ca.cert, cert, key))(t)
}

// directory is the address table that the ports of a test share.
type directory struct {
	mu        sync.Mutex
	addresses map[string]string
}

func newDirectory() *directory { return &directory{addresses: make(map[string]string)} }

func (d *directory) set(id, address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addresses[id] = address
}

func (d *directory) lookup(id string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.addresses[id]
	return a, ok
}

func listen(t testing.TB, o Options) *Port {
	t.Helper()
	p := must(Listen("127.0.0.1:0", o))(t)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// memberPort opens a port as the member id, known in d.
func memberPort(t testing.TB, ca *testCA, d *directory, id string, o Options) *Port {
	t.Helper()
	o.Addresses = d.lookup
	p := listen(t, o)
	p.SetIdentity(ca.identity(t, id))
	d.set(id, p.Addr().String())
	return p
}

// handlerFunc is a Handler made of a function.
type handlerFunc func(ctx context.Context, sender string, req *clusterpb.Request, respond func(*clusterpb.Response))

func (f handlerFunc) Handle(ctx context.Context, sender string, req *clusterpb.Request, respond func(*clusterpb.Response)) {
	f(ctx, sender, req, respond)
}

// echo answers a propose with a result that holds its bytes.
func echo(_ context.Context, _ string, req *clusterpb.Request, respond func(*clusterpb.Response)) {
	respond(echoOf(req))
}

func echoOf(req *clusterpb.Request) *clusterpb.Response {
	result := &fsmpb.Result{Error: &fsmpb.Error{Detail: string(req.GetPropose())}}
	return &clusterpb.Response{Result: &clusterpb.Response_Propose{Propose: result}}
}

func echoed(resp *clusterpb.Response) string { return resp.GetPropose().GetError().GetDetail() }

func propose(b string) *clusterpb.Request {
	return &clusterpb.Request{Op: &clusterpb.Request_Propose{Propose: []byte(b)}}
}

// cutDialer dials like net.Dialer and can be told to fail or to cut what it dialed.
type cutDialer struct {
	mu     sync.Mutex
	conns  []net.Conn
	dials  int
	broken error
}

func (d *cutDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	d.dials++
	broken := d.broken
	d.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c)
	return c, nil
}

func (d *cutDialer) setBroken(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

func (d *cutDialer) attempts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dials
}

func (d *cutDialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		closeQuietly(c)
	}
	d.conns = nil
}
