package proxy

import (
	"sync/atomic"
	"time"
)

// count adds n to c unless it was counted before. It returns true.
func count(c *atomic.Uint64, n int, before bool) bool {
	if !before {
		c.Add(uint64(n))
	}
	return true
}

// waitEnd is what ended a wait.
type waitEnd int

const (
	endTime waitEnd = iota
	endChanged
	endDone
)

// wait returns at the time until, or when there is another rule, or when the connection is done. A zero until never comes.
func wait(until time.Time, changed, done <-chan struct{}) waitEnd {
	var due <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-due:
		return endTime
	case <-changed:
		return endChanged
	case <-done:
		return endDone
	}
}
