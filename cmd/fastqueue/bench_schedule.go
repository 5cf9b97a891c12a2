package main

import (
	"context"
	"sync/atomic"
	"time"
)

// schedule says when operations start. It is shared by all connections.
type schedule struct {
	start, end time.Time
	interval   time.Duration // between two starts over all connections; 0: at once
	most       int64         // operations in all; 0: no limit
	taken      atomic.Int64
}

func newSchedule(start time.Time, length time.Duration, rate float64) *schedule {
	s := &schedule{start: start, end: start.Add(length)}
	if rate > 0 {
		s.interval = time.Duration(float64(time.Second) / rate)
	}
	return s
}

// next waits until the caller's next operation is due and returns the time from which it counts. It returns false when the
// run is over.
func (s *schedule) next(ctx context.Context) (time.Time, bool) {
	now := time.Now()
	taken := s.taken.Add(1)
	if s.most > 0 && taken > s.most {
		return now, false
	}
	if s.interval == 0 {
		return now, now.Before(s.end) && ctx.Err() == nil
	}
	due := s.start.Add(time.Duration(taken-1) * s.interval)
	if !due.Before(s.end) {
		return due, false
	}
	if wait := due.Sub(now); wait > 0 {
		pause(ctx, wait)
	}
	return due, ctx.Err() == nil
}
