package cluster

import (
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
)

// nodeCollector reads, whenever somebody looks, how this node and its cluster are. It asks nobody else, so it answers
// without a leader too. A value that the node does not know is left out, so that no alert takes a 0 for it.
type nodeCollector struct {
	n *Node

	up, isLeader, hasLeader, term           *prometheus.Desc
	commitIndex, appliedIndex, writtenIndex *prometheus.Desc
	pending, lagEntries, lagSeconds, skew   *prometheus.Desc
	diskFree, diskLimit, diskLow            *prometheus.Desc
	certExpiry                              *prometheus.Desc
	voters, votersUp, tolerance             *prometheus.Desc
}

func newNodeCollector(n *Node) *nodeCollector {
	return &nodeCollector{
		n:            n,
		up:           desc("node_up", "1 if this node is ready for requests, as /readyz says, else 0."),
		isLeader:     desc("raft_is_leader", "1 if this node leads, else 0."),
		hasLeader:    desc("raft_has_leader", "1 if this node knows of a leader, else 0."),
		term:         desc("raft_term", "The term of raft: it rises with each election."),
		commitIndex:  desc("raft_commit_index", "The last log entry that this node knows to be committed."),
		appliedIndex: desc("raft_applied_index", "The last log entry that is in this node's state."),
		writtenIndex: desc("raft_last_written_index", "The last log entry that is safe on this node's disk."),
		pending:      desc("raft_proposals_pending", "Commands on their way through this leader: waiting for an entry or for its result."),
		lagEntries:   desc("raft_follower_lag_entries", "Log entries that a member had not applied when it was last heard of.", "peer"),
		lagSeconds:   desc("raft_follower_lag_seconds", "How old the newest entry was that a member had applied when it was last heard of.", "peer"),
		skew:         desc("clock_skew_seconds", "How far the clock of a member is ahead of this node's.", "peer"),
		diskFree:     desc("disk_free_bytes", "Free bytes on the file system of the data directory."),
		diskLimit:    desc("disk_limit_bytes", "Bytes that should stay free there: --disk-reserve."),
		diskLow:      desc("disk_low", "1 if fewer bytes are free than should be, else 0."),
		certExpiry:   desc("cert_expiry_timestamp_seconds", "When a certificate of the cluster port ends: the node's own, or the authority's.", "cert"),
		voters:       desc("voters", "Members that vote."),
		votersUp:     desc("voters_up", "Voters that this node has heard of in the last three seconds."),
		tolerance:    desc("failure_tolerance", "Voters that may still be lost without stopping writes."),
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("fastqueue_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c *nodeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.up, c.isLeader, c.hasLeader, c.term, c.commitIndex, c.appliedIndex, c.writtenIndex, c.pending, c.lagEntries, c.lagSeconds,
		c.skew, c.diskFree, c.diskLimit, c.diskLow, c.certExpiry, c.voters, c.votersUp, c.tolerance,
	} {
		out <- d
	}
}

// gauge sends one value.
func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Collect implements prometheus.Collector.
func (c *nodeCollector) Collect(out chan<- prometheus.Metric) {
	n := c.n
	gauge(out, c.up, truth(len(n.Ready()) == 0))
	c.collectDisk(out)
	for cert, ends := range map[string]int64{"node": n.certificateEnds.Load(), "ca": n.authorityEnds.Load()} {
		if ends != 0 {
			gauge(out, c.certExpiry, float64(ends)/1000, cert)
		}
	}
	r := n.replica.Load()
	if r == nil {
		gauge(out, c.isLeader, 0)
		gauge(out, c.hasLeader, 0)
		return
	}
	gauge(out, c.isLeader, truth(r.raft.State() == raft.Leader))
	gauge(out, c.hasLeader, truth(r.leader() != ""))
	gauge(out, c.term, float64(r.raft.CurrentTerm()))
	gauge(out, c.commitIndex, float64(r.raft.CommitIndex()))
	gauge(out, c.appliedIndex, float64(r.fsm.Applied()))
	gauge(out, c.writtenIndex, float64(r.raft.LastIndex()))
	pending := 0
	if l := r.leadership.Load(); l != nil {
		pending = l.writes.waiting()
	}
	gauge(out, c.pending, float64(pending))
	c.collectMembers(out)
}

// collectDisk also works while the node waits for room and watches nothing yet.
func (c *nodeCollector) collectDisk(out chan<- prometheus.Metric) {
	d := *c.n.disk.Load()
	if d == (diskSpace{}) {
		var err error
		if d, err = c.n.lookAtDisk(); err != nil {
			return
		}
	}
	gauge(out, c.diskFree, float64(d.free))
	gauge(out, c.diskLimit, float64(d.reserve))
	gauge(out, c.diskLow, truth(d.low))
}

// collectMembers tells of the others. A name stands for one member: of two incarnations the one that was heard of counts.
func (c *nodeCollector) collectMembers(out chan<- prometheus.Metric) {
	voters, up := 0, 0
	peers := map[string]MemberView{}
	own := c.n.ID()
	for _, m := range c.n.Cluster().Members {
		if m.Voter {
			voters++
			if m.Up {
				up++
			}
		}
		if m.ID == own {
			continue
		}
		if known, ok := peers[m.Name]; !ok || known.LastContactMs < 0 || m.Up {
			peers[m.Name] = m
		}
	}
	for name, m := range peers {
		gauge(out, c.lagEntries, float64(m.Lag), name)
		if m.LastContactMs >= 0 {
			gauge(out, c.lagSeconds, m.LagSeconds, name)
		}
		if m.Up {
			gauge(out, c.skew, (time.Duration(m.ClockDifferenceMs) * time.Millisecond).Seconds(), name)
		}
	}
	gauge(out, c.voters, float64(voters))
	gauge(out, c.votersUp, float64(up))
	gauge(out, c.tolerance, float64(max(0, up-(voters/2+1))))
}
