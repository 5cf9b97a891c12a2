package main

import (
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/fastqueue/fastqueue/cluster"
)

// tuning is the times and sizes of raft and its log. Most clusters never need to change them.
type tuning struct {
	heartbeat       time.Duration
	snapshotEntries uint64
	snapshotBytes   sizeFlag
	trailingLogs    uint64
	segmentBytes    sizeFlag
}

// The bounds. They let a test cross the seams of snapshot and log all the time.
const (
	minHeartbeat    = 100 * time.Millisecond
	maxHeartbeat    = 10 * time.Second
	maxEntries      = 100_000_000 // of --snapshot-entries and --trailing-logs
	fewTrailingLogs = 1_000       // with fewer, a node that was away for a moment is sent the whole state
	minLogBytes     = 4 << 10     // of --snapshot-bytes and --segment-bytes
	maxSnapshotSize = 1 << 40
	maxSegmentSize  = 1 << 30
)

func (o *tuning) addFlags(f *pflag.FlagSet) {
	o.snapshotBytes, o.segmentBytes = cluster.DefaultSnapshotBytes, cluster.DefaultSegmentBytes
	f.DurationVar(&o.heartbeat, "heartbeat", cluster.DefaultHeartbeat,
		"silence after which a leader is replaced, the same on all nodes; raise it if leaders change without a fault, lower it if losing one costs too long")
	f.Uint64Var(&o.snapshotEntries, "snapshot-entries", cluster.DefaultSnapshotEntries,
		"entries of the log after which it is cut; lower it if a start replays for too long")
	f.Var(&o.snapshotBytes, "snapshot-bytes", "size of the log after which it is cut; lower it if the log takes too much of the disk")
	f.Uint64Var(&o.trailingLogs, "trailing-logs", cluster.DefaultTrailingLogs,
		"entries that are kept when the log is cut; raise it if nodes that were away are sent the whole state too often (below 1000 only in tests)")
	f.Var(&o.segmentBytes, "segment-bytes", "size of the next files of a wal log; lower it if the disk is too small for files of this size")
}

// check refuses what can't work.
func (o *tuning) check() error {
	if o.heartbeat < minHeartbeat || o.heartbeat > maxHeartbeat {
		return fmt.Errorf("--heartbeat %s: %s to %s are possible", o.heartbeat, minHeartbeat, maxHeartbeat)
	}
	for _, n := range []struct {
		flag  string
		value uint64
	}{{"--snapshot-entries", o.snapshotEntries}, {"--trailing-logs", o.trailingLogs}} {
		if n.value < 1 || n.value > maxEntries {
			return fmt.Errorf("%s %d: 1 to %d are possible", n.flag, n.value, maxEntries)
		}
	}
	for _, s := range []struct {
		flag        string
		value, most sizeFlag
	}{{"--snapshot-bytes", o.snapshotBytes, maxSnapshotSize}, {"--segment-bytes", o.segmentBytes, maxSegmentSize}} {
		if s.value < minLogBytes || s.value > s.most {
			return fmt.Errorf("%s %s: %s to %s are possible", s.flag, &s.value, cluster.Size(minLogBytes), &s.most)
		}
	}
	return nil
}

func (o *tuning) apply(c *cluster.Config) {
	c.Heartbeat = o.heartbeat
	c.SnapshotEntries, c.SnapshotBytes, c.TrailingLogs = o.snapshotEntries, uint64(o.snapshotBytes), o.trailingLogs
	c.SegmentBytes = int(o.segmentBytes)
}

// warn says so when a value is meant for tests.
func (o *tuning) warn(log hclog.Logger) {
	if o.trailingLogs < fewTrailingLogs {
		log.Warn("--trailing-logs is so low that nodes that were away for a moment are sent the whole state; this is for tests",
			"trailing_logs", o.trailingLogs, "should_be_at_least", fewTrailingLogs)
	}
}
