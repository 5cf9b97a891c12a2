package cluster

import (
	"testing"
	"time"
)

// wallClock is a clock that a test moves.
type wallClock struct{ now time.Time }

func (w *wallClock) read() time.Time { return w.now }

func TestClockNeitherJumpsNorRunsBack(t *testing.T) {
	for name, test := range map[string]struct {
		state, target int64 // ms at the start of the term
		steer         int64 // the sample after ten seconds, relative to the clock then
		first         int64
		afterTen      int64 // how far the clock runs in the ten seconds after the sample
	}{
		"on time":                {state: 1_000, target: 5_000, first: 5_000, afterTen: 10_000},
		"never before the state": {state: 9_000, target: 5_000, first: 9_000, afterTen: 10_000},
		"behind by little":       {state: 0, target: 5_000, steer: 500, first: 5_000, afterTen: 10_500},
		"behind by an hour":      {state: 0, target: 5_000, steer: 3_600_000, first: 5_000, afterTen: 11_000},
		"ahead by an hour":       {state: 0, target: 5_000, steer: -3_600_000, first: 5_000, afterTen: 9_000},
	} {
		t.Run(name, func(t *testing.T) {
			wall := &wallClock{now: time.Unix(1_700_000_000, 0)}
			c := newClock(wall.read, test.state, test.target)
			if got := c.stamp(); got != test.first {
				t.Errorf("first stamp %d, want %d", got, test.first)
			}
			wall.now = wall.now.Add(10 * time.Second)
			at := c.stamp()
			c.steer(at + test.steer)
			if got := c.stamp(); got != at {
				t.Errorf("the clock jumped from %d to %d", at, got)
			}
			wall.now = wall.now.Add(10 * time.Second)
			if got := c.stamp() - at; got != test.afterTen {
				t.Errorf("ten seconds later the clock has run %d ms, want %d", got, test.afterTen)
			}
		})
	}
}

func TestOneWrongClockInThreeMovesNothing(t *testing.T) {
	for _, test := range []struct {
		clocks []int64
		want   int64
	}{
		{[]int64{7}, 7},
		{[]int64{5, 9}, 5},
		{[]int64{100, 101, 9_999_999}, 101},
		{[]int64{100, 101, 0}, 100},
	} {
		if got := lowerMedian(test.clocks); got != test.want {
			t.Errorf("median of %d is %d, want %d", test.clocks, got, test.want)
		}
	}
}
