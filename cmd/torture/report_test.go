package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/cmd/torture/trial"
)

func TestReportOfRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.jsonl")
	kill := func(unavailable float64, effective bool) trial.Strike {
		return trial.Strike{Fault: "kill-leader", Effective: effective, Unavailable: unavailable}
	}
	for _, r := range []*trial.Result{
		{LogStore: "bolt", Seconds: 1800, Strikes: []trial.Strike{kill(1, true), kill(3, true), {Fault: "wipe", Effective: true}}, Sends: 10, Deletes: 9, Remembered: 2, Repeats: 5},
		{LogStore: "bolt", Seconds: 1800, Strikes: []trial.Strike{kill(2, false)}, Violations: []string{"lost"}},
		{LogStore: "wal", Seconds: 3600, Strikes: []trial.Strike{kill(4, true)}, Weak: []string{"no load"}},
	} {
		if err := appendRecord(path, r); err != nil {
			t.Fatal(err)
		}
	}
	results, err := readRecords([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	if err := writeReport(&report, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| kill-leader | bolt | 2 | 2 | 1.00 | 1 | 3.00 s | 3.00 s | 2 |\n",
		"| kill-leader | wal | 1 | 1 | 1.00 | 0 | 4.00 s | 4.00 s | 0 |\n",
		"| wipe | bolt | 1 | 1 | 0.50 | 0 |  |  | 2 |\n",
		"3 rounds in 2.00 hours: 4 faults, 10 sends and 9 deletes acknowledged, 2 of 5 repeated commands answered from remembered results, 1 violations, 1 rounds without",
	} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("there is no %q in\n%s", want, report.String())
		}
	}
}
