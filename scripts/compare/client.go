package main

import (
	"context"
	"time"
)

// pauseAfterFailure keeps a client from spinning against a node that is down.
const pauseAfterFailure = 100 * time.Millisecond

// client is one connection and what it has seen. Only its goroutine touches it while the load runs.
type client struct {
	load    *load
	node    int
	conn    connection      // nil when it is broken
	times   []time.Duration // of the operations that count
	done    int             // operations that succeeded
	failed  int
	failure error // the first one
}

// work carries out operations until a moment, and counts those that end after another one.
func (c *client) work(ctx context.Context, from, until time.Time) {
	start := time.Now()
	for start.Before(until) && ctx.Err() == nil {
		ok := c.operate(ctx)
		end := time.Now()
		if ok && end.After(from) && end.Before(until) {
			c.times = append(c.times, end.Sub(start))
		}
		start = end
	}
}

// operate carries out one operation and says whether it succeeded. After a failure the next one has a new connection.
func (c *client) operate(ctx context.Context) bool {
	err := c.load.shape.operate(c.conn, ctx)
	if err == nil {
		c.done++
		return true
	}
	c.close()
	for err != nil {
		c.failed++
		if c.failure == nil {
			c.failure = err
		}
		if ctx.Err() != nil {
			break
		}
		sleepUntil(ctx, time.Now().Add(pauseAfterFailure))
		c.conn, err = c.load.system.connect(ctx, c.node)
	}
	return false
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.close()
		c.conn = nil
	}
}

// sleepUntil returns earlier when ctx ends.
func sleepUntil(ctx context.Context, moment time.Time) {
	t := time.NewTimer(time.Until(moment))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
