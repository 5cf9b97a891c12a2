package logstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
)

// group is a cluster on one transport in memory.
type group struct {
	t     *testing.T
	rng   *rand.Rand
	nodes []*node
	acked []string
	tried int
}

// newGroup starts three nodes.
func newGroup(t *testing.T, kind logstore.Kind, change func(*node)) *group {
	return newGroupOf(t, kind, change, "a", "b", "c")
}

func newGroupOf(t *testing.T, kind logstore.Kind, change func(*node), names ...string) *group {
	g := &group{t: t, rng: rand.New(rand.NewPCG(7, 8))}
	for _, name := range names {
		n := newNode(t, name, kind)
		change(n)
		g.nodes = append(g.nodes, n)
	}
	for i := range g.nodes {
		g.start(i)
	}
	t.Cleanup(func() {
		for _, n := range g.nodes {
			n.kill(g.rng)
		}
	})
	return g
}

func (g *group) members() raft.Configuration {
	var c raft.Configuration
	for _, n := range g.nodes {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(n.name), Address: raft.ServerAddress(n.name)})
	}
	return c
}

// start starts node i and connects it with all that run.
func (g *group) start(i int) {
	g.t.Helper()
	g.nodes[i].start(g.members())
	g.connect(i)
}

func (g *group) connect(i int) {
	for _, n := range g.running() {
		if n != g.nodes[i] {
			n.trans.Connect(g.nodes[i].trans.LocalAddr(), g.nodes[i].trans)
			g.nodes[i].trans.Connect(n.trans.LocalAddr(), n.trans)
		}
	}
}

func (g *group) disconnect(i int) {
	for _, n := range g.running() {
		n.trans.Disconnect(g.nodes[i].trans.LocalAddr())
	}
	g.nodes[i].trans.DisconnectAll()
}

func (g *group) kill(i int) {
	g.t.Helper()
	g.disconnect(i)
	g.nodes[i].kill(g.rng)
}

func (g *group) running() []*node {
	var up []*node
	for _, n := range g.nodes {
		if n.raft != nil {
			up = append(up, n)
		}
	}
	return up
}

// leader waits for a leader that can commit, other than the one at index except (-1 for none), and returns its index.
func (g *group) leader(except int) int {
	g.t.Helper()
	found := -1
	eventually(g.t, "a leader", func() bool {
		for i, n := range g.nodes {
			if i != except && n.raft != nil && n.raft.State() == raft.Leader && n.raft.VerifyLeader().Error() == nil {
				found = i
				return true
			}
		}
		return false
	})
	return found
}

// write has commands acknowledged by whoever leads, other than the node at index except.
func (g *group) write(count, except int) {
	g.t.Helper()
	for range count {
		eventually(g.t, "an acknowledged write", func() bool {
			g.tried++
			command := fmt.Sprintf("%d-%s", g.tried, bytes.Repeat([]byte{'x'}, g.rng.IntN(200)))
			l := g.nodes[g.leader(except)]
			if l.raft.Apply([]byte(command), time.Second).Error() != nil {
				return false
			}
			g.acked = append(g.acked, command)
			return true
		})
	}
}

// snapshot has every node that runs shorten its log.
func (g *group) snapshot() {
	g.t.Helper()
	for _, n := range g.running() {
		eventually(g.t, "a snapshot of "+n.name, func() bool {
			err := n.raft.Snapshot().Error()
			return err == nil || errors.Is(err, raft.ErrNothingNewToSnapshot)
		})
	}
}

// converge waits until all nodes hold the same, and checks that every acknowledged write is in it.
func (g *group) converge() {
	g.t.Helper()
	g.write(1, -1)
	eventually(g.t, "equal states", func() bool {
		first, count := g.nodes[0].hash()
		for _, n := range g.nodes[1:] {
			if h, c := n.hash(); h != first || c != count {
				return false
			}
		}
		return count >= len(g.acked) && g.nodes[0].holds(g.acked[len(g.acked)-1])
	})
	for _, n := range g.nodes {
		for _, command := range g.acked {
			if !n.holds(command) {
				g.t.Fatalf("node %s lost %q", n.name, command)
			}
		}
	}
}

func kinds(t *testing.T, f func(t *testing.T, kind logstore.Kind)) {
	for _, kind := range []logstore.Kind{logstore.Bolt, logstore.WAL} {
		t.Run(string(kind), func(t *testing.T) { t.Parallel(); f(t, kind) })
	}
}

func TestAcknowledgedWritesSurviveKillsAndInstalls(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		g := newGroup(t, kind, func(*node) {})
		for cycle := range 6 {
			g.write(20, -1)
			if cycle%3 == 0 {
				g.snapshot()
			}
			victim := g.leader(-1)
			if cycle%2 == 0 {
				victim = (victim + 1) % 3
			}
			g.kill(victim)
			g.write(60, -1)
			g.snapshot() // the dead node is now behind the log
			g.write(5, -1)
			g.start(victim)
			g.converge()
		}
		for i := range g.nodes { // all at once
			g.kill(i)
		}
		for i := range g.nodes {
			g.start(i)
		}
		g.converge()
		installs := uint64(0)
		for _, n := range g.nodes {
			installs += n.installs + n.s.Stats().Installs
		}
		if installs < 3 {
			t.Errorf("%d installs, want at least 3: the test has lost its point", installs)
		}
	})
}

func TestAStartNeitherRestoresNorReplaysWhatIsFlushed(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		g := newGroup(t, kind, func(*node) {})
		g.write(50, -1)
		g.converge()
		g.snapshot()
		before := g.nodes[0].s.Position().Index
		g.kill(0)
		g.nodes[0].open()
		if got := g.nodes[0].s.Position().Index; got < before {
			t.Errorf("after the start the state is at %d, it was flushed at %d", got, before)
		}
		if err := errors.Join(g.nodes[0].s.Close(), g.nodes[0].logs.Close()); err != nil {
			t.Fatal(err)
		}
		g.start(0)
		g.converge()
		if got := g.nodes[0].s.Stats(); got.Installs != 0 || got.BytesReceived != 0 {
			t.Errorf("the start copied %d bytes in %d installs", got.BytesReceived, got.Installs)
		}
	})
}

// raft#697: a deposed leader with a long tail that nobody committed gets a state that ends inside that tail. Raft then
// refuses every append and asks for the state again, for ever; the node starts again instead.
func TestAConflictingTailEndsInOneRestart(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		g := newGroup(t, kind, func(n *node) { n.trailing = 1 })
		g.write(20, -1)
		old := g.leader(-1)
		g.disconnect(old)
		var lost []raft.ApplyFuture
		for i := range 300 {
			lost = append(lost, g.nodes[old].raft.Apply(fmt.Appendf(nil, "lost-%d", i), time.Second))
		}
		g.write(40, old)
		for i, n := range g.nodes {
			if i != old {
				eventually(t, "a snapshot of "+n.name, func() bool { return n.raft.Snapshot().Error() == nil })
			}
		}
		for _, f := range lost {
			if f.Error() == nil {
				t.Fatal("a write without a majority was acknowledged")
			}
		}
		state := g.nodes[(old+1)%3].s.Position().Index
		if last, err := g.nodes[old].logs.LastIndex(); err != nil || last <= state {
			t.Fatalf("the old leader's log ends at %d, %v, the others' state at %d: the test has lost its point", last, err, state)
		}
		g.connect(old)
		var reason string
		eventually(t, "a restart of the old leader", func() bool {
			select {
			case reason = <-g.nodes[old].restarts:
				return true
			default:
				return false
			}
		})
		t.Logf("restart: %s", reason)
		g.kill(old)
		g.start(old)
		g.converge()
		if g.nodes[old].holds("lost-0") {
			t.Error("a write that was never acknowledged appeared")
		}
		if len(g.nodes[old].restarts) != 0 {
			t.Error("the node asked for another restart")
		}
	})
}

// A crash after Restore and before raft has cleared its log.
func TestACrashBetweenInstallAndTheLogsClearing(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		g := newGroup(t, kind, func(*node) {})
		g.write(20, -1)
		victim := (g.leader(-1) + 1) % 3
		g.kill(victim)
		g.write(60, -1)
		g.snapshot()
		copies := make(chan *node, 16)
		n := g.nodes[victim]
		n.onInstall = func() { copies <- n.copyDisk() }
		g.start(victim)
		g.converge()
		g.kill(victim)
		g.nodes[victim] = <-copies
		g.start(victim)
		if at := g.nodes[victim].s.Installed(); at.Index == 0 {
			t.Error("the copy holds no install: the test has lost its point")
		}
		g.write(10, -1)
		g.converge()
	})
}

// raft.Restore relabels a state as newer than everything and leaves a hole in the log before it. One node only: raft
// itself does not keep a cluster together whose leader falls in the middle of it.
func TestARestoredBackupReplacesTheState(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		g := newGroupOf(t, kind, func(*node) {}, "a")
		g.write(30, -1)
		l := g.nodes[g.leader(-1)]
		future := l.raft.Snapshot()
		if err := future.Error(); err != nil {
			t.Fatal(err)
		}
		meta, backup, err := future.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer backup.Close()
		kept := g.acked
		g.write(30, -1)
		if err := l.raft.Restore(meta, backup, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		gone := g.acked[len(g.acked)-1]
		g.acked = kept
		g.converge()
		for _, n := range g.nodes {
			if n.holds(gone) {
				t.Errorf("node %s still holds a write from after the backup", n.name)
			}
		}
		g.kill(0)
		g.start(0)
		g.write(10, -1)
		g.converge()
	})
}
