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
// it, with two the lower one counts, which can only make leases longer. Afterwards
// it runs on this machine's monotonic clock and is steered towards each new sample at 0.9 to 1.1 of real speed: it
// neither jumps nor runs back.
type clock struct {
	mu    sync.Mutex
	wall  func() time.Time // carries Go's monotonic reading
	at    time.Time        // when base was right
	base  float64          // ms
	speed float64
}

func newClock(wall func() time.Time, state, target int64) *clock {
	return &clock{wall: wall, at: wall(), base: float64(max(state, target)), speed: 1}
}

// stamp is the time for an entry, in milliseconds since 1970.
func (c *clock) stamp() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(c.read(c.wall()))
}

func (c *clock) read(now time.Time) float64 {
	return c.base + c.speed*float64(now.Sub(c.at))/float64(time.Millisecond)
}

// steer sets the speed with which the clock reaches the target in one sampling interval, as far as the limits allow.
func (c *clock) steer(target int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.wall()
	c.base, c.at = c.read(now), now
	ahead := (float64(target) - c.base) / float64(clockSample.Milliseconds())
	c.speed = min(1.1, max(0.9, 1+ahead))
}

// lowerMedian is the middle one of the clocks, the lower of the two middle ones if their number is even.
func lowerMedian(clocks []int64) int64 {
	sorted := slices.Sorted(slices.Values(clocks))
	return sorted[(len(sorted)-1)/2]
}
