package cluster

import (
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// countingFSM counts the entries that it is given.
type countingFSM struct{ applied atomic.Int64 }

func (f *countingFSM) Apply(*raft.Log) any { return f.applied.Add(1) }
func (f *countingFSM) Snapshot() (raft.FSMSnapshot, error) {
	return countingSnapshot{f.applied.Load()}, nil
}

func (f *countingFSM) Restore(r io.ReadCloser) error {
	var n int64
	if _, err := fmt.Fscan(r, &n); err != nil {
		return err
	}
	f.applied.Store(n)
	return r.Close()
}

type countingSnapshot struct{ n int64 }

func (s countingSnapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := fmt.Fprint(sink, s.n); err != nil {
		return err
	}
	return sink.Close()
}
func (countingSnapshot) Release() {}

// raftGroup is members of hashicorp/raft as FastQueue connects them, in memory.
type raftGroup struct {
	t     *testing.T
	rafts []*raft.Raft
	fsms  []*countingFSM
	wires []*raft.InmemTransport
}

func newRaftGroup(t *testing.T, n int) *raftGroup {
	t.Helper()
	g := &raftGroup{t: t}
	var servers []raft.Server
	for i := range n {
		address, wire := raft.NewInmemTransportWithTimeout(raft.ServerAddress(fmt.Sprint("n", i)), time.Second)
		g.wires = append(g.wires, wire)
		servers = append(servers, raft.Server{ID: raft.ServerID(address), Address: address})
	}
	for i := range n {
		g.connect(i, true)
		c := raft.DefaultConfig()
		c.LocalID, c.Logger, c.TrailingLogs = servers[i].ID, hclog.NewNullLogger(), 10
		store, snapshots, f := raft.NewInmemStore(), raft.NewInmemSnapshotStore(), new(countingFSM)
		wire := &steadyTransport{memberTransport: g.wires[i], written: func() uint64 { return math.MaxUint64 }}
		if err := raft.BootstrapCluster(c, store, store, snapshots, wire, raft.Configuration{Servers: servers}); err != nil {
			t.Fatal(err)
		}
		r, err := raft.NewRaft(c, f, store, store, snapshots, wire)
		if err != nil {
			t.Fatal(err)
		}
		wire.raft.Store(r)
		g.rafts, g.fsms = append(g.rafts, r), append(g.fsms, f)
	}
	return g
}

// connect makes or cuts the connections between member i and the others, in both directions.
func (g *raftGroup) connect(i int, on bool) {
	for j, other := range g.wires {
		switch {
		case i == j:
		case on:
			g.wires[i].Connect(other.LocalAddr(), other)
			other.Connect(g.wires[i].LocalAddr(), g.wires[i])
		default:
			g.wires[i].Disconnect(other.LocalAddr())
			other.Disconnect(g.wires[i].LocalAddr())
		}
	}
}

// leader waits for one, in virtual time.
func (g *raftGroup) leader() int {
	for range 100 {
		time.Sleep(100 * time.Millisecond)
		for i, r := range g.rafts {
			if r.State() == raft.Leader {
				return i
			}
		}
	}
	g.t.Fatal("no leader")
	return 0
}

func (g *raftGroup) apply(leader, n int) {
	g.t.Helper()
	for range n {
		if err := g.rafts[leader].Apply(nil, time.Minute).Error(); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *raftGroup) shutDown() {
	for _, r := range g.rafts {
		if err := r.Shutdown().Error(); err != nil {
			g.t.Error(err)
		}
	}
}

// TestAMemberIsCaughtUpAsSoonAsItIsBack: raft alone would send it nothing for up to ten seconds.
func TestAMemberIsCaughtUpAsSoonAsItIsBack(t *testing.T) {
	for name, snapshot := range map[string]bool{"by entries": false, "by a snapshot": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRaftGroup(t, 3)
				defer g.shutDown()
				leader := g.leader()
				away := (leader + 1) % 3
				g.apply(leader, 5)
				g.connect(away, false)
				g.apply(leader, 50)
				if snapshot {
					if err := g.rafts[leader].Snapshot().Error(); err != nil {
						t.Fatal(err)
					}
				}
				for outage := range 5 { // so that none of them ends when a wait of raft's happens to end
					time.Sleep(time.Minute + time.Duration(outage)*1700*time.Millisecond)
					g.apply(leader, 1)
					g.connect(away, true)
					time.Sleep(time.Second)
					if want, got := g.fsms[leader].applied.Load(), g.fsms[away].applied.Load(); got != want {
						t.Errorf("outage %d: a second after it came back the member has applied %d of %d", outage, got, want)
					}
					g.connect(away, false)
				}
			})
		})
	}
}

// TestNobodyWaitsForAMemberThatIsNoMore: the call for a removed member or of a former leader ends.
func TestNobodyWaitsForAMemberThatIsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRaftGroup(t, 3)
		leader := g.leader()
		away := (leader + 1) % 3
		g.apply(leader, 5)
		g.connect(away, false)
		g.apply(leader, 5)
		time.Sleep(time.Minute)
		if err := g.rafts[leader].RemoveServer(raft.ServerID(g.wires[away].LocalAddr()), 0, time.Minute).Error(); err != nil {
			t.Fatal(err)
		}
		g.connect(leader, false) // the lone leader steps down
		time.Sleep(time.Minute)
		if s := g.rafts[leader].State(); s == raft.Leader {
			t.Errorf("a leader without a majority is %s", s)
		}
		g.shutDown() // ends only when all of raft's goroutines have ended; the bubble wants all others to have ended, too
	})
}
