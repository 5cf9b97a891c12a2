package cluster

import (
	"slices"
	"sync"
	"time"
)

const (
	clockSample = 10 * time.Second
	clockWait   = 200 * time.Millisecond // for the voters beyond a majority
	clockAlarm  = time.Second            // members further apart than this are reported
)

// clock makes the stamps of one term's entries. At the start of the term it is set to the lower median of the wall
// clocks of the voters that answer, but never before the state's clock: with three answers one wrong clock cannot move
// it, with two that differ the time counts that this node has carried on since it last heard enough of them. If it never
// has, the lower one counts: this term may be behind by as long as nobody has led, and leases that begin in it may end as
// much early when the next one is right again. Afterwards it runs on this machine's monotonic clock, so that a wall clock that is set does not move it, and is steered towards each new sample at 0.9 to 1.1 of real
// speed, for one sampling interval: it neither jumps nor runs back, and runs at real speed while there is no good sample.
type clock struct {
	mu    sync.Mutex
	at    time.Time // when base was right, with Go's monotonic reading
	base  float64   // ms
	speed float64   // until clockSample after at
}

func newClock(state, target int64) *clock {
	return &clock{at: time.Now(), base: float64(max(state, target)), speed: 1}
}

// stamp is the time for an entry, in milliseconds since 1970.
func (c *clock) stamp() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(c.read(time.Now()))
}

func (c *clock) read(now time.Time) float64 {
	elapsed := now.Sub(c.at)
	steered := min(elapsed, clockSample)
	return c.base + (c.speed*float64(steered)+float64(elapsed-steered))/float64(time.Millisecond)
}

// steer sets the speed with which the clock reaches the target in one sampling interval, as far as the limits allow.
func (c *clock) steer(target int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.base, c.at = c.read(now), now
	ahead := (float64(target) - c.base) / float64(clockSample.Milliseconds())
	c.speed = min(1.1, max(0.9, 1+ahead))
}

// judgeClocks is what a sample of wall clocks is worth: its lower median, and whether a term may be steered by it.
// complete says that all voters are in it. When some are missing and the others differ, one wrong clock may be the median.
func judgeClocks(clocks []int64, complete bool) (target int64, certain bool) {
	return lowerMedian(clocks), complete || spread(clocks) <= clockAlarm.Milliseconds()
}

func spread(clocks []int64) int64 { return slices.Max(clocks) - slices.Min(clocks) }

// lowerMedian is the middle one of the clocks, the lower of the two middle ones if their number is even.
func lowerMedian(clocks []int64) int64 {
	sorted := slices.Sorted(slices.Values(clocks))
	return sorted[(len(sorted)-1)/2]
}
