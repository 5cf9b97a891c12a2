package cluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// memoryStream is the stream layer of a member of raft on a memoryNetwork.
type memoryStream struct {
	net.Listener
	network *memoryNetwork
	node    string
	ports   map[raft.ServerAddress]string
}

func (s memoryStream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.network.dial(ctx, s.node, s.ports[to])
}

// rejecting refuses one AppendEntries with entries, when it is armed.
type rejecting struct {
	memberTransport
	armed    atomic.Bool
	consumer chan raft.RPC
	done     chan struct{}
}

func (t *rejecting) Consumer() <-chan raft.RPC { return t.consumer }

func (t *rejecting) run() {
	for {
		select {
		case rpc := <-t.memberTransport.Consumer():
			a, ok := rpc.Command.(*raft.AppendEntriesRequest)
			if ok && len(a.Entries) > 0 && t.armed.CompareAndSwap(true, false) {
				rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: a.RPCHeader, Term: a.Term, LastLog: a.PrevLogEntry, NoRetryBackoff: true}, nil)
				continue
			}
			t.consumer <- rpc
		case <-t.done:
			return
		}
	}
}

// raft#611, raft#612: with two or more requests in flight, one rejected AppendEntries stops replication to that follower
// for ever, while heartbeats look fine. FastQueue's transport has one in flight.
func TestAfterARejectedAppendAFollowerIsCaughtUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network, ports := newMemoryNetwork(), map[raft.ServerAddress]string{}
		var servers []raft.Server
		var streams []memoryStream
		for i := range 3 {
			id := fmt.Sprint("m", i)
			l, err := network.listen(id)
			if err != nil {
				t.Fatal(err)
			}
			ports[raft.ServerAddress(id)] = l.Addr().String()
			servers = append(servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
			streams = append(streams, memoryStream{namedListener{l, id}, network, id, ports})
		}
		g, transports := &raftGroup{t: t}, []*rejecting{}
		for i, stream := range streams {
			wire := &rejecting{
				memberTransport: newRaftTransport(stream, hclog.NewNullLogger()), consumer: make(chan raft.RPC), done: make(chan struct{}),
			}
			go wire.run()
			c := raft.DefaultConfig()
			c.LocalID, c.Logger = servers[i].ID, hclog.NewNullLogger()
			store, snapshots, f := raft.NewInmemStore(), raft.NewInmemSnapshotStore(), new(countingFSM)
			if err := raft.BootstrapCluster(c, store, store, snapshots, wire, raft.Configuration{Servers: servers}); err != nil {
				t.Fatal(err)
			}
			r, err := raft.NewRaft(c, f, store, store, snapshots, wire)
			if err != nil {
				t.Fatal(err)
			}
			g.rafts, g.fsms, transports = append(g.rafts, r), append(g.fsms, f), append(transports, wire)
		}
		defer func() {
			g.shutDown()
			for i, wire := range transports {
				close(wire.done)
				if err := wire.Close(); err != nil {
					t.Error(err)
				}
				network.isolate(streams[i].node) // whoever still reads from it
			}
		}()
		leader := g.leader()
		follower := (leader + 1) % 3
		g.apply(leader, 50)
		for round := range 20 { // with two in flight it hangs in one of ten
			transports[follower].armed.Store(true)
			g.apply(leader, 50)
			time.Sleep(time.Minute)
			if transports[follower].armed.Load() {
				t.Fatal("nothing was rejected: the test has lost its point")
			}
			if want, got := g.fsms[leader].applied.Load(), g.fsms[follower].applied.Load(); got != want {
				t.Fatalf("round %d: a minute after the rejection the follower has applied %d of %d", round, got, want)
			}
		}
	})
}

// A state that a member receives is read on raft's main loop (raft.go, installSnapshot): until it has come, or the
// connection ends, the member neither votes nor appends. With the leader stopped in the middle of it, and the connection
// open, three members would have no leader for as long as that lasts. The stream is given up after five seconds.
func TestAStateThatStandsStillHoldsUpNoElection(t *testing.T) {
	t.Parallel()
	for _, logStore := range []string{"bolt", "wal"} {
		virtual(t, logStore, 3, shortLogs, func(c *virtualCluster) {
			c.createQueue(0, "q")
			leader := c.leader()
			behind, third := (leader+1)%3, (leader+2)%3
			c.crash(behind)
			sent := c.makeState(leader, third)
			c.network.stallAfter(address(leader), address(behind), stateCut)
			c.restart(behind)
			store := c.nodes[behind].FSM().Store()
			c.await("a part of the state to arrive", func() bool { bytes, now := store.Arriving(); return now && bytes > 256<<10 })
			time.Sleep(500 * time.Millisecond)
			if bytes, now := store.Arriving(); !now || bytes > stateCut {
				c.t.Fatalf("%d bytes have arrived, more are awaited: %v; the test has lost its point", bytes, now)
			}

			began := time.Now()
			silent := func(on bool) {
				for _, other := range []int{behind, third} {
					c.network.hold(address(leader), address(other), on)
					c.network.hold(address(other), address(leader), on)
				}
			}
			silent(true)
			c.await("another leader", func() bool { return c.leads(behind) || c.leads(third) })
			between(c.t, "another leads", time.Since(began), 0, arrivalStall+5*time.Second)
			c.send(third, "q", "while it is stopped")
			if names, err := os.ReadDir(filepath.Join(c.nodes[behind].dir, stateDir)); err != nil || hasPartial(names) {
				c.t.Errorf("the state's directory holds %v, %v", names, err)
			}

			silent(false)
			c.await("all to be alike", func() bool {
				want := c.nodes[third].FSM().NewestHash()
				return c.nodes[behind].FSM().NewestHash() == want && c.nodes[leader].FSM().NewestHash() == want
			})
			if n, _ := c.nodes[behind].FSM().ReadyMessages("q"); n != int64(sent)+1 {
				c.t.Errorf("%d messages are there, %d were acknowledged", n, sent+1)
			}
		})
	}
}

// The leader is gone in the middle of a state: the next one sends it again from the beginning.
func TestAStateThatIsCutOffIsSentAgain(t *testing.T) {
	t.Parallel()
	virtual(t, "wal", 3, shortLogs, func(c *virtualCluster) {
		c.createQueue(0, "q")
		leader := c.leader()
		behind, third := (leader+1)%3, (leader+2)%3
		c.crash(behind)
		sent := c.makeState(leader, third)
		c.network.stallAfter(address(leader), address(behind), stateCut)
		c.restart(behind)
		store := c.nodes[behind].FSM().Store()
		c.await("a part of the state to arrive", func() bool { bytes, now := store.Arriving(); return now && bytes > 256<<10 })
		began := time.Now()
		c.crash(leader)
		c.await("another leader", func() bool { return c.leads(behind) || c.leads(third) })
		between(c.t, "another leads", time.Since(began), 0, 5*time.Second)
		c.await("both to be alike", func() bool {
			return c.nodes[behind].FSM().NewestHash() == c.nodes[third].FSM().NewestHash()
		})
		if n, _ := c.nodes[behind].FSM().ReadyMessages("q"); n != int64(sent) || store.Stats().Installs != 1 {
			c.t.Errorf("%d messages are there after %d installs, %d were acknowledged", n, store.Stats().Installs, sent)
		}
	})
}

// shortLogs lets a log go soon. raft-wal goes on reading what it has cut off, until the segment goes with it.
func shortLogs(c *Config) { c.TrailingLogs, c.SegmentBytes = 10, 64<<10 }

// stateCut is how much of what makeState makes arrives before the rest stands still. Up to 64 entries may come first, in a
// request that the leader had made already.
const stateCut = 4 << 20

// raft#696: a transfer to a member that stands still may leave raft refusing every write, also when all are well again. The
// process starts again then: writes go on without anybody's help, while the member stands still and after it. In real time,
// because the goroutine that raft leaves behind never ends, which the bubble of virtual time does not accept.
func TestATransferToAMemberThatStandsStillEnds(t *testing.T) {
	t.Parallel()
	var restarts atomic.Int64
	c := onMemoryNetwork(t, "bolt", 3, func(c *Config) {
		c.Heartbeat, c.LeaderLease = 0, 0 // raft gives a transfer up after that time: the second one shall find the first one's rest
		c.Restart = func(string) { restarts.Add(1) }
	})
	c.createQueue(0, "q")
	for range 4 {
		leader := c.leader()
		target, third := (leader+1)%3, (leader+2)%3
		stand := func(still bool) {
			for _, other := range []int{leader, third} {
				c.network.hold(address(other), address(target), still)
				c.network.hold(address(target), address(other), still)
			}
		}
		sent := func(through int) bool {
			if restarts.Swap(0) > 0 {
				c.crash(leader)
				c.restart(leader)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := c.nodes[through].Propose(ctx, sendCommand("q", "job"))
			return err == nil
		}
		stand(true)
		for range 2 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if l := c.nodes[leader].replica.Load().leadership.Load(); l != nil {
				_ = c.nodes[leader].handOver(ctx, l, c.nodes[target].ID()) // it can't succeed
			}
			cancel()
		}
		c.await("a write while it stands still", func() bool { return sent(third) })
		stand(false)
		c.await("a write after it", func() bool { return sent(target) })
	}
}

// makeState sends some megabytes through a node and has both nodes that run cut their logs behind that.
func (c *virtualCluster) makeState(running ...int) (sent int) {
	c.t.Helper()
	rng := rand.NewChaCha8([32]byte{25})
	body := make([]byte, 40<<10)
	for ; sent < 100; sent++ {
		if _, err := rng.Read(body); err != nil {
			c.t.Fatal(err)
		}
		c.send(running[0], "q", base64.StdEncoding.EncodeToString(body)) // nothing that a disk could make smaller
	}
	for _, i := range running {
		c.await("a snapshot of "+name(i), func() bool { return c.nodes[i].replica.Load().snapshot() })
	}
	return sent
}

// await waits for a condition, in virtual time.
func (c *virtualCluster) await(what string, ok func() bool) {
	c.t.Helper()
	for began := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Minute {
			c.t.Fatalf("waited %s for %s", time.Since(began), what)
		}
	}
}

// leads tells whether a node's term as the leader has begun.
func (c *virtualCluster) leads(i int) bool { return c.nodes[i].replica.Load().leadership.Load() != nil }

func hasPartial(names []os.DirEntry) bool {
	return slices.ContainsFunc(names, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "tmp-receive") })
}

// namedListener has the address by which raft knows the member.
type namedListener struct {
	net.Listener
	name string
}

func (l namedListener) Addr() net.Addr { return namedAddr(l.name) }

type namedAddr string

func (namedAddr) Network() string  { return "memory" }
func (a namedAddr) String() string { return string(a) }
