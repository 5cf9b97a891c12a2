package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm"
)

// measured gives each node of a test cluster a registry of its own.
func measured(c *Config) { c.Metrics = NewMetrics(prometheus.NewRegistry()) }

func (n *testNode) registry() *prometheus.Registry {
	return n.config.Metrics.registry.(*prometheus.Registry)
}

// sample reads one value; of a histogram with _count or _sum behind its name. Labels are written "peer=n1".
func sample(t testing.TB, g prometheus.Gatherer, name string, labels ...string) (value float64, ok bool) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		rest, isOf := strings.CutPrefix("fastqueue_"+name, f.GetName())
		if !isOf || rest != "" && rest != "_count" && rest != "_sum" {
			continue
		}
		for _, m := range f.Metric {
			if !slices.ContainsFunc(labels, func(l string) bool { return !hasLabel(m, l) }) {
				return number(m, rest), true
			}
		}
	}
	return 0, false
}

func hasLabel(m *dto.Metric, label string) bool {
	return slices.ContainsFunc(m.Label, func(p *dto.LabelPair) bool { return p.GetName()+"="+p.GetValue() == label })
}

func number(m *dto.Metric, of string) float64 {
	switch {
	case of == "_count":
		return float64(m.GetHistogram().GetSampleCount())
	case of == "_sum":
		return m.GetHistogram().GetSampleSum()
	case m.Counter != nil:
		return m.GetCounter().GetValue()
	}
	return m.GetGauge().GetValue()
}

// must is sample for a value that has to be there.
func (n *testNode) must(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	v, ok := sample(t, n.registry(), name, labels...)
	if !ok {
		t.Fatalf("%s shows no %s %v", n.Name(), name, labels)
	}
	return v
}

// moved checks by how much values of one node move while something is done.
func (n *testNode) moved(t testing.TB, want map[string]float64, do func()) {
	t.Helper()
	before := map[string]float64{}
	for name := range want {
		before[name] = n.must(t, name)
	}
	do()
	for name, by := range want {
		if got := n.must(t, name) - before[name]; got != by {
			t.Errorf("%s of %s moved by %v, want %v", name, n.Name(), got, by)
		}
	}
}

func (n *testNode) eventually(t testing.TB, name string, want float64, labels ...string) {
	t.Helper()
	eventually(t, name+" of "+n.Name(), func() bool {
		v, ok := sample(t, n.registry(), name, labels...)
		return ok && v == want
	})
}

// TestMetricsOfWrites: each of three sends is an entry of its own, written, committed and applied once.
func TestMetricsOfWrites(t *testing.T) {
	t.Parallel()
	logStores(t, func(t *testing.T, logStore string) {
		c := newTestCluster(t, logStore, 1, measured)
		n := c.nodes[0]
		c.createQueue(0, "q")
		n.eventually(t, "raft_proposals_pending", 0) // a command is counted off after its answer
		n.moved(t, map[string]float64{
			"raft_commit_index": 3, "raft_applied_index": 3, "raft_last_written_index": 3, "raft_term": 0, "raft_leader_changes_total": 0,
			"raft_entry_commands_count": 3, "raft_entry_commands_sum": 3, "raft_commit_seconds_count": 3, "apply_seconds_count": 3,
			"wal_fsync_seconds_count": 3, "raft_proposals_failed_total": 0, "raft_proposals_pending": 0, "forwarded_requests_total": 0,
		}, func() {
			written := n.must(t, "wal_appended_bytes_total")
			for range 3 {
				c.send(0, "q", strings.Repeat("x", 1_000))
			}
			if by := n.must(t, "wal_appended_bytes_total") - written; by < 3_000 || by > 4_000 {
				t.Errorf("three messages of 1,000 bytes appended %v bytes", by)
			}
			n.eventually(t, "raft_proposals_pending", 0)
		})
		for _, name := range []string{"raft_commit_seconds_sum", "apply_seconds_sum", "wal_fsync_seconds_sum"} {
			if n.must(t, name) <= 0 {
				t.Errorf("%s takes no time", name)
			}
		}
	})
}

func TestMetricsOfCommandsOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		c, o := newTestCoalescer(l)
		registry := prometheus.NewRegistry()
		c.m = NewMetrics(registry)
		check := func(pending int, failed float64) {
			t.Helper()
			synctest.Wait()
			if got := c.waiting(); got != pending {
				t.Errorf("%d commands are on their way, want %d", got, pending)
			}
			if got, _ := sample(t, registry, "raft_proposals_failed_total"); got != failed {
				t.Errorf("%v failed, want %v", got, failed)
			}
		}
		o.submit(c, "a")
		check(1, 0)
		o.submit(c, "b")
		synctest.Wait()
		o.submit(c, "c") // waits, as there are two in flight
		check(3, 0)
		l.entries[0].done <- nil // now c can go
		check(2, 0)
		l.entries[1].done <- errors.New("refused")
		check(1, 1)
		l.entries[2].done <- nil
		check(0, 1)
		c.close()
		o.submit(c, "late")
		check(0, 2)
	})
}

// TestMetricsOfMembers: who leads, who votes, who is behind, and who passes requests on.
func TestMetricsOfMembers(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, measured)
	leads := c.leader()
	leader, follower, third := c.nodes[leads], c.nodes[(leads+1)%3], c.nodes[(leads+2)%3]
	c.createQueue(leads, "q")
	for _, n := range c.nodes {
		want := 0.0
		if n == leader {
			want = 1
		}
		n.eventually(t, "raft_is_leader", want)
		n.eventually(t, "raft_has_leader", 1)
		n.eventually(t, "node_up", 1)
		n.eventually(t, "voters", 3)
		n.eventually(t, "voters_up", 3)
		n.eventually(t, "failure_tolerance", 1)
	}
	leader.moved(t, map[string]float64{"forwarded_requests_total": 0, "raft_entry_commands_sum": 5}, func() {
		follower.moved(t, map[string]float64{"forwarded_requests_total": 5, "raft_entry_commands_sum": 0, "raft_commit_seconds_count": 0}, func() {
			for range 5 {
				c.send((leads+1)%3, "q", "m")
			}
		})
	})

	leader.eventually(t, "raft_follower_lag_entries", 0, "peer="+third.Name())
	gone := third.Name()
	c.stop((leads + 2) % 3)
	for range 4 {
		c.send(leads, "q", "m")
	}
	eventually(t, "the stopped member to lag", func() bool { return leader.must(t, "raft_follower_lag_entries", "peer="+gone) == 4 })
	for _, n := range []*testNode{leader, follower} {
		n.eventually(t, "voters_up", 2)
		n.eventually(t, "voters", 3)
		n.eventually(t, "failure_tolerance", 0)
	}
	eventually(t, "its lag in seconds to grow", func() bool { return leader.must(t, "raft_follower_lag_seconds", "peer="+gone) > 1 })
	if _, ok := sample(t, leader.registry(), "clock_skew_seconds", "peer="+gone); ok {
		t.Error("the clock of a stopped member is known")
	}

	term := leader.must(t, "raft_term")
	known := follower.must(t, "raft_leader_changes_total")
	leader.moved(t, map[string]float64{"raft_leader_changes_total": 1}, func() {
		ctx, cancel := context.WithTimeout(t.Context(), testDeadline)
		defer cancel()
		if _, err := leader.TransferLeadership(ctx, follower.Name()); err != nil {
			t.Fatal(err)
		}
		follower.eventually(t, "raft_is_leader", 1)
		follower.eventually(t, "raft_leader_changes_total", known+1)
		leader.eventually(t, "raft_is_leader", 0)
		leader.eventually(t, "raft_has_leader", 1)
	})
	if follower.must(t, "raft_term") <= term {
		t.Error("another leader in the same term")
	}
}

func TestMetricsOfTheDisk(t *testing.T) {
	t.Parallel()
	var free atomic.Uint64
	free.Store(50 << 30)
	c := newTestCluster(t, "bolt", 1, func(c *Config) {
		measured(c)
		c.Disk = func(string) (uint64, uint64, error) { return free.Load(), 100 << 30, nil }
	})
	n := c.nodes[0]
	n.eventually(t, "disk_free_bytes", 50<<30)
	n.eventually(t, "disk_limit_bytes", 5<<30)
	n.eventually(t, "disk_low", 0)
	free.Store(4 << 30)
	n.eventually(t, "disk_low", 1)
	n.eventually(t, "disk_free_bytes", 4<<30)
}

func TestMetricsOfANodeThatIsNoMember(t *testing.T) {
	config := Config{Disk: func(string) (uint64, uint64, error) { return 7, 100 << 30, nil }}
	measured(&config)
	n := &testNode{Node: New(config)}
	for name, want := range map[string]float64{"node_up": 0, "raft_is_leader": 0, "raft_has_leader": 0, "disk_free_bytes": 7, "disk_low": 1} {
		if got := n.must(t, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"voters", "raft_term", "cert_expiry_timestamp_seconds", "queue_messages"} {
		if v, ok := sample(t, n.registry(), name); ok {
			t.Errorf("%s is %v: nobody can know", name, v)
		}
	}
}

func TestMetricsOfSnapshots(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, measured)
	n := c.nodes[0]
	c.createQueue(0, "q")
	began := float64(time.Now().UnixMilli()) / 1000
	n.moved(t, map[string]float64{"snapshot_seconds_count": 1, "store_flush_seconds_count": 1}, func() {
		if !n.replica.Load().snapshot() {
			t.Fatal("no snapshot")
		}
	})
	if at := n.must(t, "snapshot_last_timestamp_seconds"); at < began || at > began+testDeadline.Seconds() {
		t.Errorf("the snapshot was made at %v, it began at %v", at, began)
	}
	if n.must(t, "store_flush_seconds_sum") <= 0 || n.must(t, "snapshot_seconds_sum") <= 0 {
		t.Error("a snapshot takes no time")
	}
}

func TestMetricsOfADifferingReplica(t *testing.T) {
	config := Config{}
	measured(&config)
	n := &testNode{Node: New(config)}
	differing := &clusterpb.StatusResult{Hashes: []*clusterpb.ReplicaHash{{Index: 1_000, Hash: 8}, {Index: 2_000, Hash: 7}, {Index: 3_000, Hash: 1}}}
	n.statuses["a"] = memberStatus{StatusResult: differing, at: time.Now()}
	n.moved(t, map[string]float64{"state_hash_mismatch_total": 2}, func() {
		for range 3 { // a place counts once, however often it is looked at
			for _, own := range []fsm.Hash{{Index: 1_000, Hash: 9}, {Index: 2_000, Hash: 7}, {Index: 3_000, Hash: 2}} {
				n.compareHash(own)
			}
		}
	})
}

func TestMetricsOfClocksAndCertificates(t *testing.T) {
	t.Parallel()
	const ahead = 3 * time.Second
	c := newTestCluster(t, "bolt", 2, func(c *Config) {
		measured(c)
		if c.NodeName == name(1) {
			c.Wall = func() time.Time { return time.Now().Add(ahead) }
		}
	})
	for i, want := range []float64{3, -3} {
		n, peer := c.nodes[i], "peer="+name(1-i)
		eventually(t, "the other clock to be known", func() bool {
			skew, ok := sample(t, n.registry(), "clock_skew_seconds", peer)
			return ok && skew > want-0.5 && skew < want+0.5
		})
		year := float64(time.Now().Add(300 * 24 * time.Hour).Unix())
		own, authority := n.must(t, "cert_expiry_timestamp_seconds", "cert=node"), n.must(t, "cert_expiry_timestamp_seconds", "cert=ca")
		if own < year || authority <= own {
			t.Errorf("the certificates of %s end at %v and %v", n.Name(), own, authority)
		}
		if got := float64(n.certificateEnds.Load()) / 1000; own != got {
			t.Errorf("the certificate of %s ends at %v, shown is %v", n.Name(), got, own)
		}
	}
}

// TestMetricNamesFollowTheRules of Prometheus: units, suffixes, a help text for each.
func TestMetricNamesFollowTheRules(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, measured)
	c.createQueue(0, "q")
	c.nodes[0].eventually(t, "voters_up", 2)
	problems, err := testutil.GatherAndLint(c.nodes[0].registry())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
