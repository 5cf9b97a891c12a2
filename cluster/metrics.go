package cluster

import (
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/fastqueue/fastqueue/fsm"
)

// Metrics are what a node counts and times while it works. What can be asked for at any moment (who leads, how full the
// disk is, what the queues hold) is not kept here: nodeCollector and queueCollector read it when somebody looks.
// docs/operations.md says what each of them means.
type Metrics struct {
	registry prometheus.Registerer // nil: nobody looks

	leaderChanges   prometheus.Counter
	proposalsFailed prometheus.Counter
	commitSeconds   prometheus.Histogram
	entryCommands   prometheus.Histogram
	applySeconds    prometheus.Histogram
	syncSeconds     prometheus.Histogram
	appendedBytes   prometheus.Counter
	flushSeconds    prometheus.Histogram
	snapshotSeconds prometheus.Histogram
	snapshotAt      prometheus.Gauge
	hashMismatches  prometheus.Counter
	forwarded       prometheus.Counter

	repeats, repeatsRemembered prometheus.Counter
}

// NewMetrics registers the families of one node; a registry takes only one. Of a nil registry nobody can read them.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	f := promauto.With(registry)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "fastqueue_" + name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return f.NewHistogram(prometheus.HistogramOpts{Name: "fastqueue_" + name, Help: help, Buckets: buckets})
	}
	return &Metrics{
		registry: registry,
		leaderChanges: counter("raft_leader_changes_total",
			"Times this node has learned of another leader than before, the first one included."),
		proposalsFailed: counter("raft_proposals_failed_total",
			"Commands that this node, leading, did not get into the state: refused before the log, or without a known outcome."),
		commitSeconds: histogram("raft_commit_seconds",
			"From handing an entry to raft until its result: stored by a majority and applied here. On the leader.", callBuckets()),
		entryCommands: histogram("raft_entry_commands",
			"Commands in one log entry. On the leader.", prometheus.ExponentialBuckets(1, 2, 10)),
		applySeconds: histogram("apply_seconds",
			"Applying one group of committed entries to the state.", callBuckets()),
		syncSeconds: histogram("wal_fsync_seconds",
			"One call that writes the raft log or raft's votes, the sync to the disk included.", callBuckets()),
		appendedBytes: counter("wal_appended_bytes_total",
			"Data of the entries that were appended to the raft log."),
		flushSeconds: histogram("store_flush_seconds",
			"Writing the state to the disk for a snapshot of this node or for another member.", slowBuckets()),
		snapshotSeconds: histogram("snapshot_seconds",
			"One snapshot that was completed, its wait for the state machine and the shortening of the log included.", slowBuckets()),
		snapshotAt: f.NewGauge(prometheus.GaugeOpts{Name: "fastqueue_snapshot_last_timestamp_seconds",
			Help: "When the last snapshot of this process was completed; 0: none yet."}),
		hashMismatches: counter("state_hash_mismatch_total",
			"Log indexes at which the state of this node differed from that of another member. Must stay 0."),
		forwarded: counter("forwarded_requests_total",
			"Tries to have a request answered by another member that leads; what is tried again counts again."),
		repeats: counter("repeated_commands_total",
			"Tries to have a command applied of which an earlier try may have been: the leader was lost with the answer."),
		repeatsRemembered: counter("repeated_commands_remembered_total",
			"Commands that had been applied by an earlier try, and were answered as that was."),
	}
}

// callBuckets are for what should take a millisecond and at times takes a second. The thresholds of the alerts are bounds.
func callBuckets() []float64 {
	return []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
}

// slowBuckets are for what may take seconds.
func slowBuckets() []float64 { return []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30} }

// wrote is told of each write of the log store.
func (m *Metrics) wrote(_ string, d time.Duration, entries, bytes int) {
	m.syncSeconds.Observe(d.Seconds())
	if entries > 0 {
		m.appendedBytes.Add(float64(bytes))
	}
}

func (m *Metrics) flushed(d time.Duration) { m.flushSeconds.Observe(d.Seconds()) }

// snapshotted is told of a snapshot that began at a moment and is complete now.
func (m *Metrics) snapshotted(began, now time.Time) {
	m.snapshotSeconds.Observe(now.Sub(began).Seconds())
	m.snapshotAt.Set(float64(now.UnixMilli()) / 1000)
}

// measuredFSM times the state machine from outside, where there are clocks.
type measuredFSM struct {
	*fsm.FSM
	seconds prometheus.Observer
}

// ApplyBatch implements raft.BatchingFSM.
func (f measuredFSM) ApplyBatch(logs []*raft.Log) []any {
	began := time.Now()
	results := f.FSM.ApplyBatch(logs)
	f.seconds.Observe(time.Since(began).Seconds())
	return results
}

var _ raft.BatchingFSM = measuredFSM{}
