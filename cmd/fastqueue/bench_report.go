package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// showProgress writes a line a second until done is closed.
func (b *bench) showProgress(w io.Writer, start time.Time, done <-chan struct{}) {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	var before uint64
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			total := b.operations.count()
			fmt.Fprintf(w, "%4.0fs  %8d %s/s  p50 %s  p99 %s  failed %d\n", now.Sub(start).Seconds(), total-before,
				b.o.mode, shown(b.operations.quantile(0.5)), shown(b.operations.quantile(0.99)), b.failed.Load())
			before = total
		}
	}
}

// report writes the result of a run and returns an error when the messages tell of a fault.
func (b *bench) report(w io.Writer, elapsed time.Duration, left int64) error {
	var s strings.Builder
	fmt.Fprintf(&s, "mode %s, %d connections, %d bytes, %d nodes, %s\n", b.o.mode, b.o.connections, b.o.size, len(b.o.urls), shown(elapsed))
	line := func(name string, h *histogram) {
		fmt.Fprintf(&s, "%-8s %9d  %9.1f/s  p50 %s  p90 %s  p99 %s  p99.9 %s  max %s\n", name, h.count(),
			float64(h.count())/elapsed.Seconds(), shown(h.quantile(0.5)), shown(h.quantile(0.9)), shown(h.quantile(0.99)),
			shown(h.quantile(0.999)), shown(time.Duration(h.max.Load())))
	}
	line(b.o.mode, &b.operations)
	if b.o.mode == modeLoop {
		line(" send", &b.sends)
		line(" receive", &b.receives)
		line(" delete", &b.deletes)
	}
	v := b.ledger.verdict()
	fmt.Fprintf(&s, "failed operations %d\n", b.failed.Load())
	if e := b.lastError.Load(); e != nil {
		fmt.Fprintf(&s, "last failure: %v\n", *e)
	}
	fmt.Fprintf(&s, "acknowledged %d  received %d  lost %d  duplicated %d  out of order %d\n", v.acknowledged, v.received, v.lost, v.duplicated, v.outOfOrder)
	if _, err := io.WriteString(w, s.String()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return b.judge(v, left)
}

// judge turns the verdict into an error. After a receive without an answer, messages leased to nobody come back late, so
// their order says nothing.
func (b *bench) judge(v verdict, left int64) error {
	switch {
	case left > 0:
		return fmt.Errorf("the queue still holds %d messages that no receive returned", left)
	case v.lost > 0 || v.duplicated > 0:
		return fmt.Errorf("%d messages lost, %d duplicated", v.lost, v.duplicated)
	case v.outOfOrder > 0 && !b.lateMessages.Load():
		return fmt.Errorf("%d messages out of order", v.outOfOrder)
	}
	return nil
}

// shown rounds a duration to three figures or so.
func shown(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	default:
		return d.Round(time.Microsecond)
	}
}
