//go:build linux && system

package netns

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 30 * time.Second

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

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

func open(t testing.TB, nodes int) *Network {
	t.Helper()
	n, err := Open(nodes, 1)
	check(t, err)
	t.Cleanup(func() {
		check(t, n.Close())
		if n.Failed() != 0 {
			t.Errorf("%d packets were not taken by a namespace", n.Failed())
		}
	})
	return n
}

// connect returns the two ends of a connection from node a to a server on node b, and the server's port.
func connect(t testing.TB, n *Network, a, b int) (client, server *net.TCPConn, port uint16) {
	t.Helper()
	var l net.Listener
	check(t, n.Namespace(b).Do(func() (err error) {
		l, err = net.Listen("tcp", n.Namespace(b).Addr().String()+":0")
		return err
	}))
	defer l.Close()
	client, err := n.Namespace(a).Dial(t.Context(), l.Addr().String())
	check(t, err)
	accepted, err := l.Accept()
	check(t, err)
	server = accepted.(*net.TCPConn)
	for _, c := range []*net.TCPConn{client, server} {
		t.Cleanup(func() { _ = c.Close() })
		check(t, c.SetDeadline(time.Now().Add(patience)))
	}
	return client, server, uint16(l.Addr().(*net.TCPAddr).Port)
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	check(t, err)
}

func expect(t testing.TB, c net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("got %q, %v; want %q", got, err, text)
	}
}

func TestSystemNodesReachEachOtherAndNobodyElse(t *testing.T) {
	n := open(t, 3)
	for a := range 3 {
		for b := range 3 {
			if a != b {
				client, server, _ := connect(t, n, a, b)
				send(t, client, "question")
				expect(t, server, "question")
				send(t, server, "answer")
				expect(t, client, "answer")
				if n.Flow(a, b).Packets == 0 || n.Flow(b, a).Packets == 0 {
					t.Errorf("packets between %d and %d went another way", a, b)
				}
			}
		}
	}
	addresses, err := net.InterfaceAddrs()
	check(t, err)
	for _, a := range addresses {
		if strings.HasPrefix(a.String(), "10.99.0.") {
			t.Errorf("this machine has the address %s", a)
		}
	}
}

func TestSystemProcessesStartInside(t *testing.T) {
	n := open(t, 1)
	outside, err := os.Readlink("/proc/self/ns/net")
	check(t, err)
	var inside string
	check(t, n.Namespace(0).Do(func() (err error) {
		inside, err = os.Readlink(threadSpace)
		return err
	}))
	var out strings.Builder
	cmd := exec.Command("readlink", "/proc/self/ns/net")
	cmd.Stdout = &out
	check(t, n.Namespace(0).Start(cmd))
	check(t, cmd.Wait())
	if got := strings.TrimSpace(out.String()); got != inside || got == outside {
		t.Errorf("the process ran in %s; the namespace is %s, this process is in %s", got, inside, outside)
	}
	after, err := os.Readlink("/proc/self/ns/net")
	check(t, err)
	if after != outside {
		t.Error("this process is in another namespace now")
	}
}

func TestSystemDialReachesTheNamespacesLoopback(t *testing.T) {
	n := open(t, 1)
	var l net.Listener
	check(t, n.Namespace(0).Do(func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	}))
	defer l.Close()
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the loopback is this machine's")
	}
	c, err := n.Namespace(0).Dial(t.Context(), l.Addr().String())
	check(t, err)
	check(t, c.Close())
}

func TestSystemConnectionSurvivesAPartition(t *testing.T) {
	n := open(t, 3)
	client, server, _ := connect(t, n, 0, 1)
	third, far, _ := connect(t, n, 0, 2)
	n.SetBetween(0, 1, Rule{Cut: true})
	send(t, client, "question")
	eventually(t, "the question is lost", func() bool { return n.Flow(0, 1).Cut > 1 }) // and lost again
	send(t, third, "another way")
	expect(t, far, "another way")
	n.SetAll(Rule{})
	expect(t, server, "question")
}

func TestSystemOneWayCutLetsTheOtherWayPass(t *testing.T) {
	n := open(t, 2)
	client, server, _ := connect(t, n, 0, 1)
	n.Set(0, 1, Rule{Cut: true})
	send(t, client, "question")
	send(t, server, "hello")
	expect(t, client, "hello")
	eventually(t, "the question is lost", func() bool { return n.Flow(0, 1).Cut > 0 })
	if c := n.Flow(1, 0).Cut; c != 0 {
		t.Errorf("%d packets of the other direction were cut", c)
	}
}

func TestSystemLostAnswersEndOnlyTheirConnections(t *testing.T) {
	n := open(t, 2)
	client, server, port := connect(t, n, 0, 1)
	other, far, _ := connect(t, n, 1, 0) // its requests share the direction with the first one's answers
	n.Set(1, 0, Rule{Cut: true, OnlyFrom: port, Reset: true})
	send(t, client, "question")
	expect(t, server, "question")
	send(t, server, "answer")
	for _, c := range []net.Conn{client, server} {
		if size, err := c.Read(make([]byte, 1)); size != 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read %d bytes, %v; want a reset connection", size, err)
		}
	}
	send(t, other, "question")
	expect(t, far, "question")
	send(t, far, "answer")
	expect(t, other, "answer")
	if n.Flow(1, 0).Reset == 0 {
		t.Error("no reset was counted")
	}
}

func TestSystemTCPComesThroughABadNetwork(t *testing.T) {
	n := open(t, 2)
	client, server, _ := connect(t, n, 0, 1)
	n.SetAll(Rule{Loss: 0.05, Double: 0.05, Delay: time.Millisecond, Jitter: 3 * time.Millisecond, BytesPerSecond: 2 << 20})
	text := strings.Repeat("a line of text\n", 20_000)
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(client, text)
		sent <- err
	}()
	expect(t, server, text)
	check(t, <-sent)
	if f := n.Flow(0, 1); f.Lost == 0 || f.Doubled == 0 || f.Late == 0 || f.Overtaken == 0 {
		t.Errorf("counted %+v", f)
	}
}

func TestSystemCloseLeavesNothing(t *testing.T) {
	n, err := Open(2, 1)
	check(t, err)
	check(t, n.Close())
	if err := n.Namespace(0).Do(func() error { return nil }); err == nil {
		t.Error("a closed namespace was entered")
	}
}

func TestSystemAddedNodeReachesTheOthers(t *testing.T) {
	n := open(t, 1)
	added, err := n.Add()
	check(t, err)
	client, server, _ := connect(t, n, added, 0)
	send(t, client, "question")
	expect(t, server, "question")
	if n.Flow(added, 0).Packets == 0 {
		t.Error("the packets went another way")
	}
}
