package logstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
)

// failing is a log that fails to append once, after it has cut its tail.
type failing struct {
	logstore.Store
	armed bool // and the tail was cut
	err   error
}

func (f *failing) DeleteRange(from, to uint64) error {
	f.armed = f.err != nil
	return f.Store.DeleteRange(from, to)
}

func (f *failing) StoreLogs(logs []*raft.Log) error {
	if f.armed {
		return f.err
	}
	return f.Store.StoreLogs(logs)
}

// A follower that can't append after it has cut a conflicting tail goes on with a last index that its log does not have
// (raft.go, appendEntries: "leaving r.getLastLog() in the wrong state"). An append that fails ends the process, and the
// next life finds the log as it is.
func TestAFailedAppendBehindACutTail(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		h := startFollower(t, kind)
		disk := &failing{}
		h.to.wrap = func(s logstore.Store) logstore.Store { disk.Store = s; return disk }
		h.restart()
		if !h.append(1, 0, 1, 20, 5) {
			t.Fatal("append refused")
		}
		h.wantApplied(5)
		disk.err = errors.New("input/output error") // the process ends here
		if h.append(2, 1, 11, 25, 5) {
			t.Error("an append that failed was acknowledged")
		}
		disk.armed, disk.err = false, nil
		h.restart()
		h.wantLog(1, 10, 1)
		if last, err := h.to.logs.LastIndex(); err != nil || last != 10 {
			t.Errorf("the log ends with entry %d, %v", last, err)
		}
		if !h.append(2, 1, 11, 25, 25) {
			t.Fatal("append after the restart refused")
		}
		h.wantApplied(25)
		h.restart()
		h.wantLog(1, 10, 1)
		h.wantLog(11, 25, 2)
	})
}

// copying copies the disk before each slice of a head that goes, and after the last.
type copying struct {
	logstore.Store
	copy func()
}

func (c *copying) DeleteRange(from, to uint64) error {
	for ; from <= to; from++ {
		c.copy()
		if err := c.Store.DeleteRange(from, from); err != nil {
			return err
		}
	}
	c.copy()
	return nil
}

// raft#85, raft#86, rqlite#2540: a crash between a snapshot and the end of the log's shortening left logs that raft could
// not start with ("log not found"). The state is flushed before the log is cut, and a start checks that they meet.
func TestACrashWhileTheLogIsShortened(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		var copies []*node
		g := newGroupOf(t, kind, func(n *node) {
			n.wrap = func(s logstore.Store) logstore.Store {
				return &copying{s, func() { copies = append(copies, n.copyDisk()) }}
			}
		}, "a")
		g.write(30, -1)
		g.snapshot()
		if len(copies) < 20 {
			t.Fatalf("%d copies: the test has lost its point", len(copies))
		}
		g.kill(0)
		for i, c := range copies {
			if i%4 != 0 && i != len(copies)-1 { // each is a start of raft
				continue
			}
			g.nodes[0] = c
			g.start(0)
			g.leader(-1)
			for _, command := range g.acked {
				if !c.holds(command) {
					t.Errorf("crash %d lost %q", i, command)
				}
			}
			g.kill(0)
		}
	})
}

// powerCuts copies both disks of a node before calls that change one of them.
type powerCuts struct {
	logstore.Store
	n      *node
	every  uint64 // of the calls for the state
	calls  atomic.Uint64
	mu     sync.Mutex
	on     bool
	acked  uint64 // entries up to here were acknowledged
	copies []cut
}

type cut struct {
	n     *node
	acked uint64
	what  string
}

func (p *powerCuts) copy(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on {
		p.copies = append(p.copies, cut{p.n.copyDisk(), p.acked, what})
	}
}

func (p *powerCuts) String() string { return "power cuts" }

// MaybeError makes no error.
func (p *powerCuts) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && (p.calls.Add(1)%p.every == 0 || op.Kind == errorfs.OpRename) {
		p.copy(op.Path)
	}
	return nil
}

func (p *powerCuts) DeleteRange(from, to uint64) error {
	p.copy("deletion")
	defer p.copy("deletion, done")
	return p.Store.DeleteRange(from, to)
}

func (p *powerCuts) StoreLogs(logs []*raft.Log) error {
	p.copy("append")
	defer p.copy("append, done")
	return p.Store.StoreLogs(logs)
}

func (p *powerCuts) noteAcked(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked = index
}

// Both disks lose power together anywhere between the arrival of a state and the first append behind it, for which the
// older log goes: the node starts, what it acknowledged is there, and its leader brings it up to date.
func TestACrashAnywhereInAnInstall(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		h := startFollower(t, kind)
		p := &powerCuts{n: h.to, every: 5}
		h.to.wrap, h.to.watch = func(s logstore.Store) logstore.Store { p.Store = s; return p }, p
		h.restart()
		if !h.append(1, 0, 1, 20, 15) {
			t.Fatal("append refused")
		}
		h.wantApplied(15)
		p.mu.Lock()
		p.on, p.acked = true, 20
		p.mu.Unlock()
		if !h.install(1, 50) {
			t.Fatal("install refused")
		}
		p.noteAcked(50)
		if !h.append(1, 1, 51, 60, 60) {
			t.Fatal("append behind the install refused")
		}
		p.noteAcked(60)
		h.wantApplied(60)
		p.mu.Lock()
		p.on = false
		p.mu.Unlock()
		p.copy("the end")
		if len(p.copies) < 10 {
			t.Errorf("%d copies: the test has lost its point", len(p.copies))
		}
		installed := 0
		h.to.kill(rand.New(rand.NewPCG(1, 1)))
		for _, c := range p.copies {
			h.to = c.n
			h.restart()
			last, err := h.to.logs.LastIndex()
			if have := max(last, h.to.s.Position().Index); err != nil || have < c.acked {
				t.Errorf("power cut before a call for %s: the node has entries up to %d, %v, and had acknowledged %d", c.what, have, err, c.acked)
			}
			if h.to.s.Installed().Index == 50 {
				installed++
			} else if !h.install(1, 50) {
				t.Errorf("power cut before a call for %s: install refused", c.what)
			}
			if !h.append(1, 1, max(last, 50)+1, 61, 61) { // where a leader begins, too
				t.Errorf("power cut before a call for %s: append refused", c.what)
			}
			h.wantApplied(61)
			h.to.kill(rand.New(rand.NewPCG(1, 1)))
		}
		t.Logf("%d power cuts, %d with the installed state", len(p.copies), installed)
		if installed == 0 || installed == len(p.copies) {
			t.Error("the install was not cut: the test has lost its point")
		}
	})
}

// consul#9609: a follower that takes longer for a state than the leader's log reaches back gets one state after another.
// It has to get well as soon as it is fast enough, and to lose nothing until then.
func TestAnInstallSlowerThanTheLogIsRepeated(t *testing.T) {
	kinds(t, func(t *testing.T, kind logstore.Kind) {
		g := newGroup(t, kind, func(*node) {})
		g.write(20, -1)
		leader := g.leader(-1)
		slow := (leader + 1) % 3
		n := g.nodes[slow]
		g.kill(slow)
		g.write(60, -1)
		g.snapshot()
		installs, reached := 0, make(chan struct{})
		resume := make(chan struct{})
		n.onInstall = func() {
			if installs++; installs <= 3 {
				reached <- struct{}{}
				<-resume // until the log of the others begins behind what was installed
			}
		}
		g.start(slow)
		for i := range 3 {
			select {
			case <-reached:
			case <-time.After(30 * time.Second):
				t.Fatalf("no install %d within 30 s", i+1)
			}
			g.write(40, slow)
			for j, other := range g.nodes {
				if j != slow {
					eventually(t, "a snapshot of "+other.name, func() bool {
						err := other.raft.Snapshot().Error()
						return err == nil || errors.Is(err, raft.ErrNothingNewToSnapshot)
					})
				}
			}
			resume <- struct{}{}
		}
		g.converge()
		if got := n.s.Stats().Installs; got < 4 {
			t.Errorf("%d installs: the test has lost its point", got)
		}
		if len(n.restarts) != 0 {
			t.Errorf("the node asked for %d restarts", len(n.restarts))
		}
		names, err := n.fs.List("state")
		slices.Sort(names)
		if want := []string{"LOCK", fmt.Sprintf("g-%08d", 1+n.s.Stats().Installs)}; err != nil || !slices.Equal(names, want) {
			t.Errorf("the state's directory holds %q, %v; want %q", names, err, want)
		}
	})
}
