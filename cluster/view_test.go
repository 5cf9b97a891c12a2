package cluster

import (
	"slices"
	"testing"
	"time"
)

func TestTheViewOfACluster(t *testing.T) {
	t.Parallel()
	disks := newTestDisks()
	c := newTestCluster(t, "bolt", 3, func(config *Config) {
		disks.use(config)
		if config.NodeName == name(1) {
			config.Wall = func() time.Time { return time.Now().Add(10 * time.Minute) }
		}
	})
	c.createQueue(0, "q")
	c.leader()
	member := func(from, of int) MemberView {
		for _, m := range c.nodes[from].Cluster().Members {
			if m.Name == name(of) {
				return m
			}
		}
		t.Fatalf("%s does not see %s", name(from), name(of))
		return MemberView{}
	}
	for from := range c.nodes {
		for of := range c.nodes {
			eventually(t, "every node to know every node", func() bool { return member(from, of).DiskFree > 0 && member(from, of).AppliedIndex > 0 })
			m := member(from, of)
			if !m.Up || !m.Voter || m.DiskFree != roomy || m.DiskLow || m.Draining || m.LagSeconds > 5 {
				t.Errorf("%s sees %+v", name(from), m)
			}
			if left := m.CertificateExpires.Sub(c.nodes[from].config.Wall()); left < 360*24*time.Hour || left > 366*24*time.Hour {
				t.Errorf("%s sees a certificate of %s that ends in %s", name(from), name(of), left)
			}
			want := c.nodes[of].config.Wall().Sub(c.nodes[from].config.Wall())
			if got := time.Duration(m.ClockDifferenceMs) * time.Millisecond; (got - want).Abs() > 5*time.Second {
				t.Errorf("%s sees the clock of %s %s ahead, it is %s", name(from), name(of), got, want)
			}
		}
		if s := c.nodes[from].Cluster().Summary; s != "Healthy. 3 of 3 voters up. You can lose 1 node." {
			t.Errorf("%s says %q", name(from), s)
		}
	}
	same := func() bool { // at rest all stand at the same index, with the same hash
		first := c.nodes[0].Cluster().StateHashes
		for _, n := range c.nodes[1:] {
			if !slices.Equal(n.Cluster().StateHashes, first) {
				return false
			}
		}
		return len(first) == 1 && first[0].Index > 1 && len(first[0].Hash) == 16
	}
	eventually(t, "the same state hash on all nodes", same)

	down := (c.leader() + 1) % 3
	via := c.leader()
	applied := member(via, down).AppliedIndex
	c.stop(down)
	eventually(t, "it to be seen as down", func() bool { return !member(via, down).Up })
	c.send(via, "q", "job")
	eventually(t, "it to be seconds behind", func() bool { return member(via, down).Lag > 0 && member(via, down).LagSeconds >= 1 })
	if m := member(via, down); m.AppliedIndex < applied || m.LastContactMs < alive.Milliseconds() {
		t.Errorf("a member that is down: %+v", m)
	}
	if s, want := c.nodes[via].Cluster().Summary, "Degraded. 2 of 3 voters up ("+name(down)+" is down). You can lose 0 nodes."; s != want {
		t.Errorf("it says %q, want %q", s, want)
	}
}

func TestANodeWhoseCertificateHasEndedSaysSo(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	n := c.nodes[0]
	if reasons := n.Ready(); len(reasons) != 0 {
		t.Fatalf("not ready: %v", reasons)
	}
	n.certificateEnds.Store(time.Now().Add(-time.Hour).UnixMilli())
	if reasons := n.Ready(); len(reasons) != 1 {
		t.Errorf("ready with a certificate that has ended: %v", reasons)
	}
}
