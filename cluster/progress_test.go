package cluster

import (
	"testing"
	"time"
)

func TestEntriesBehindAreSecondsBehind(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	var p progress
	if got := p.behind(at(0), 7); got != 0 {
		t.Errorf("with no sample it is %s behind", got)
	}
	p.note(at(0), 100)
	p.note(at(1), 200)
	for s := 2.0; s <= 60; s++ { // nothing is written
		p.note(at(s), 200)
	}
	p.note(at(61), 300)
	for _, test := range []struct {
		now     float64
		applied uint64
		want    time.Duration
	}{
		{61, 300, 0},
		{61, 1_000, 0},
		{61, 200, time.Second},
		{61, 250, 500 * time.Millisecond},
		{70, 300, 0},
		{70, 299, 9_010 * time.Millisecond},
		{61, 100, 61 * time.Second},
		{61, 5, 61 * time.Second}, // at least
	} {
		if got := p.behind(at(test.now), test.applied); got.Round(time.Millisecond) != test.want {
			t.Errorf("at %v s, with %d applied: %s, want %s", test.now, test.applied, got, test.want)
		}
	}
}

func TestProgressIsBounded(t *testing.T) {
	var p progress
	at := time.Unix(1_700_000_000, 0)
	for i := range uint64(10 * maxProgress) {
		at = at.Add(time.Second)
		p.note(at, i)
	}
	if len(p.samples) > maxProgress {
		t.Errorf("%d samples are kept", len(p.samples))
	}
	if got := p.behind(at, 10*maxProgress-61); got != time.Minute {
		t.Errorf("60 entries, one a second, are %s behind", got)
	}
	p.note(at.Add(time.Second), 5) // a tail that was never committed is gone
	if got := p.behind(at, 10*maxProgress-1); got != 0 {
		t.Errorf("%s behind", got)
	}
}
