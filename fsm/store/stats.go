package store

import (
	"sync/atomic"
	"time"
)

// Stats are counts since the store was opened.
type Stats struct {
	BytesReceived uint64        // of state streams from other members
	BytesSent     uint64        // of state streams to other members
	Installs      uint64        // states put in by Restore
	Flushes       uint64        // by snapshots, checkpoints and Close; not Pebble's own
	FlushTime     time.Duration // of those together; zero without Options.Now
	LastFlush     time.Duration
	DiskBytes     uint64 // used by the present generation
}

type counts struct {
	received, sent, installs, flushes atomic.Uint64
	flushTime, lastFlush              atomic.Int64 // ns
	arriving                          atomic.Int64 // states that are being received
}

// flushed counts a flush that took d.
func (c *counts) flushed(d time.Duration) {
	c.flushes.Add(1)
	c.flushTime.Add(int64(d))
	c.lastFlush.Store(int64(d))
}

// Arriving returns how many bytes of states have been received, and whether one is arriving now: raft then waits for it.
func (s *Store) Arriving() (bytes uint64, now bool) {
	now = s.counts.arriving.Load() > 0
	return s.counts.received.Load(), now
}

// Stats returns the present counts. After Close DiskBytes is zero.
func (s *Store) Stats() Stats {
	st := Stats{
		BytesReceived: s.counts.received.Load(),
		BytesSent:     s.counts.sent.Load(),
		Installs:      s.counts.installs.Load(),
		Flushes:       s.counts.flushes.Load(),
		FlushTime:     time.Duration(s.counts.flushTime.Load()),
		LastFlush:     time.Duration(s.counts.lastFlush.Load()),
	}
	if g, ok := s.tryAcquire(); ok {
		st.DiskBytes = g.db.Metrics().DiskSpaceUsage()
		g.release()
	}
	return st
}
