package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestClockNeitherJumpsNorRunsBack(t *testing.T) {
	for name, test := range map[string]struct {
		state, target int64 // ms at the start of the term
		steer         int64 // the sample after ten seconds, relative to the clock then
		first         int64
		afterTen      int64 // how far the clock runs in the ten seconds after the sample
		afterHour     int64 // and in the hour after that, in which no further sample is good
	}{
		"on time":                {state: 1_000, target: 5_000, first: 5_000, afterTen: 10_000, afterHour: 3_600_000},
		"never before the state": {state: 9_000, target: 5_000, first: 9_000, afterTen: 10_000, afterHour: 3_600_000},
		"behind by little":       {state: 0, target: 5_000, steer: 500, first: 5_000, afterTen: 10_500, afterHour: 3_600_000},
		"behind by an hour":      {state: 0, target: 5_000, steer: 3_600_000, first: 5_000, afterTen: 11_000, afterHour: 3_600_000},
		"ahead by an hour":       {state: 0, target: 5_000, steer: -3_600_000, first: 5_000, afterTen: 9_000, afterHour: 3_600_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClock(test.state, test.target)
				if got := c.stamp(); got != test.first {
					t.Errorf("first stamp %d, want %d", got, test.first)
				}
				time.Sleep(10 * time.Second)
				at := c.stamp()
				c.steer(at + test.steer)
				if got := c.stamp(); got != at {
					t.Errorf("the clock jumped from %d to %d", at, got)
				}
				time.Sleep(10 * time.Second)
				if got := c.stamp() - at; got != test.afterTen {
					t.Errorf("ten seconds later the clock has run %d ms, want %d", got, test.afterTen)
				}
				time.Sleep(time.Hour)
				if got := c.stamp() - at - test.afterTen; got != test.afterHour {
					t.Errorf("without a sample for an hour the clock has run %d ms, want %d", got, test.afterHour)
				}
			})
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

// With a voter missing, one wrong clock may be the median: it counts only if it agrees with the other.
func TestASampleInDoubtDoesNotSteer(t *testing.T) {
	for _, test := range []struct {
		clocks   []int64
		complete bool
		want     bool
	}{
		{[]int64{100, 101, 9_999_999}, true, true},
		{[]int64{100, 1_100}, false, true},
		{[]int64{100, 1_101}, false, false},
		{[]int64{100, 101, 9_999_999}, false, false}, // of five
	} {
		if _, certain := judgeClocks(test.clocks, test.complete); certain != test.want {
			t.Errorf("clocks %d, complete %v: certain is %v", test.clocks, test.complete, certain)
		}
	}
}

// Leaders come and go, on machines of which one has a clock that is wrong and jumps, and not everybody answers every
// sample. The time of the entries never runs back, never passes the right clocks, and loses at most a tenth.
func TestAWrongClockMovesNoTerm(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { aWrongClockMovesNoTerm(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func aWrongClockMovesNoTerm(t *testing.T, random *rand.Rand) {
	skew := []int64{0, 80, 0} // of the members' clocks, ms; the last is the wrong one
	jump := func() { skew[2] = random.Int64N(7_200_000) - 3_600_000 }
	sample := func() (int64, bool) {
		var clocks []int64
		missing := random.IntN(5) // mostly nobody
		for i, s := range skew {
			if i != missing {
				clocks = append(clocks, time.Now().UnixMilli()+s)
			}
		}
		return judgeClocks(clocks, len(clocks) == len(skew))
	}
	jump()
	state := time.Now().UnixMilli()
	for range 40 { // terms
		time.Sleep(time.Duration(random.IntN(3_000)) * time.Millisecond) // an election
		target, _ := sample()
		c := newClock(state, target)
		last := c.stamp()
		if last < state {
			t.Fatalf("a term begins at %d and the state is at %d", last, state)
		}
		for range random.IntN(40) {
			if random.IntN(10) == 0 {
				jump()
			}
			wait := time.Duration(1+random.IntN(10_000)) * time.Millisecond
			if random.IntN(3) == 0 {
				wait = clockSample
				if target, certain := sample(); certain {
					c.steer(target)
				}
			}
			time.Sleep(wait)
			now := c.stamp()
			if ran := now - last; ran < wait.Milliseconds()*9/10-1 || ran > wait.Milliseconds()*11/10+1 {
				t.Fatalf("in %s the clock ran %d ms", wait, ran)
			}
			if right := time.Now().UnixMilli() + skew[1]; now > right+1 {
				t.Fatalf("the clock is %d ms ahead of all that are right", now-right)
			}
			last = now
		}
		state = last
	}
}

// An answer that takes long moves no clock: with the middle between question and answer a clock that was right seemed to be
// wrong by up to half of that, and the leases that one term had given ended early in the next.
func TestAClockThatIsRightStaysRightWithASlowAnswer(t *testing.T) {
	asked := time.Unix(1_700_000_000, 0)
	own := asked.UnixMilli()
	for name, test := range map[string]struct {
		said int64 // by the other clock, relative to the own one at the question
		want int64 // how far it is taken to be ahead, ms
	}{
		"read at once":    {0, 0},
		"read late":       {790, 0},
		"an hour ahead":   {3_600_000, 3_600_000 - 800},
		"an hour behind":  {-3_600_000, -3_600_000},
		"a little behind": {-5, -5},
	} {
		m := readBetween(asked, 800*time.Millisecond, own, own+test.said)
		answered := asked.Add(800 * time.Millisecond)
		if got := m.read(answered).Sub(answered).Milliseconds(); got != test.want {
			t.Errorf("%s: it is taken to be %d ms ahead, want %d", name, got, test.want)
		}
	}
}
