package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/fastqueue/fastqueue/cluster"
)

func TestTuningReachesTheNode(t *testing.T) {
	for line, want := range map[string]cluster.Config{
		"": {
			Heartbeat: cluster.DefaultHeartbeat, SnapshotEntries: cluster.DefaultSnapshotEntries, TrailingLogs: cluster.DefaultTrailingLogs,
			SnapshotBytes: cluster.DefaultSnapshotBytes, SegmentBytes: cluster.DefaultSegmentBytes,
		},
		"--heartbeat 100ms --snapshot-entries 1 --snapshot-bytes 4KiB --trailing-logs 1 --segment-bytes 4096": {
			Heartbeat: 100 * time.Millisecond, SnapshotEntries: 1, TrailingLogs: 1, SnapshotBytes: 4096, SegmentBytes: 4096,
		},
	} {
		var o tuning
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		o.addFlags(flags)
		if err := flags.Parse(strings.Fields(line)); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if err := o.check(); err != nil {
			t.Errorf("%q is refused: %v", line, err)
		}
		var got cluster.Config
		o.apply(&got)
		if got.Heartbeat != want.Heartbeat || got.SnapshotEntries != want.SnapshotEntries || got.SnapshotBytes != want.SnapshotBytes ||
			got.TrailingLogs != want.TrailingLogs || got.SegmentBytes != want.SegmentBytes {
			t.Errorf("%q makes %+v, want %+v", line, got, want)
		}
		var log bytes.Buffer
		o.warn(hclog.New(&hclog.LoggerOptions{Output: &log}))
		if warned := strings.Contains(log.String(), "--trailing-logs"); warned != (want.TrailingLogs < 1000) {
			t.Errorf("%q logs %q", line, &log)
		}
	}
}
