package proxy

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

const patience = 30 * time.Second

// eventually polls condition until it holds. It is the only place where these tests wait for time to pass.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
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

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bench is a client, a proxy and a server, connected in this order.
type bench struct {
	*Proxy
	t              testing.TB
	listener       net.Listener
	client, server *net.TCPConn
}

func newBench(t testing.TB) *bench {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p, err := Listen("127.0.0.1:0", To(l.Addr().String()), 1)
	check(t, err)
	b := &bench{Proxy: p, t: t, listener: l}
	t.Cleanup(func() { _ = l.Close() })
	t.Cleanup(func() { _ = p.Close() })
	b.connect()
	return b
}

// connect replaces client and server by the two ends of a new connection.
func (b *bench) connect() {
	b.t.Helper()
	before := b.Counters().Accepted
	b.client = b.dial()
	server, err := b.listener.Accept()
	check(b.t, err)
	b.server = server.(*net.TCPConn)
	b.t.Cleanup(func() { _ = server.Close() })
	check(b.t, server.SetDeadline(time.Now().Add(patience)))
	eventually(b.t, "the proxy knows the connection", func() bool { return b.Counters().Accepted > before })
}

func (b *bench) dial() *net.TCPConn {
	b.t.Helper()
	c, err := net.Dial("tcp", b.Addr())
	check(b.t, err)
	b.t.Cleanup(func() { _ = c.Close() })
	check(b.t, c.SetDeadline(time.Now().Add(patience)))
	return c.(*net.TCPConn)
}

func (b *bench) send(c net.Conn, text string) {
	b.t.Helper()
	_, err := io.WriteString(c, text)
	check(b.t, err)
}

func (b *bench) expect(c net.Conn, text string) {
	b.t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		b.t.Fatalf("got %q, %v; want %q", got, err, text)
	}
}

func (b *bench) expectEnd(c net.Conn) {
	b.t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		b.t.Fatalf("read %d bytes, %v; want the end of the stream", n, err)
	}
}

func (b *bench) expectReset(c net.Conn) {
	b.t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		b.t.Fatalf("read %d bytes, %v; want a reset connection", n, err)
	}
}

// expectNoConnection dials and is reset, at once or as soon as it reads.
func (b *bench) expectNoConnection() {
	b.t.Helper()
	c, err := net.Dial("tcp", b.Addr())
	if err == nil {
		defer func() { _ = c.Close() }()
		check(b.t, c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		b.t.Fatalf("dial and read: %v; want a reset connection", err)
	}
}
