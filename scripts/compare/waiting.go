package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

const (
	fillers = 64 // connections that fill the queue

	restLimit  = 3 * time.Minute // that servers get to finish what a fill has left them
	restWindow = 5 * time.Second // in which they use less than a fifth of one processor then: three idle nodes use up to a tenth
)

// waitingFigure is what loops cost while messages wait.
type waitingFigure struct {
	figure
	waiting int           // messages
	rested  time.Duration // after the fill, until the servers were quiet; 0: the loops began at once
	filling int64         // bytes, the peak of RssAnon of the largest node while they were sent
	restart time.Duration // from the order to stop until all nodes serve again; 0: not measured
}

// restarter is a system that can be stopped and started with what it holds.
type restarter interface{ restart(context.Context) error }

// measureWaiting measures the loops of 128 clients with an empty queue and behind each number of messages, once.
func (r *results) measureWaiting(ctx context.Context, o *options, work string, progress io.Writer) error {
	if len(o.waiting) == 0 {
		return nil
	}
	for _, c := range r.contenders {
		dir := filepath.Join(work, c.name)
		err := running(ctx, c, dir, func() error { return r.measureBehind(ctx, o, c, progress) })
		if err != nil {
			return fmt.Errorf("%s with messages waiting: %w", c.title, err)
		}
	}
	return nil
}

func (r *results) measureBehind(ctx context.Context, o *options, c contender, progress io.Writer) error {
	leader, err := c.system.newQueue(ctx)
	if err != nil {
		return err
	}
	there := 0
	for _, n := range append([]int{0}, o.waiting...) {
		w := waitingFigure{waiting: n}
		loops := func() error {
			l := &load{system: c.system, disk: r.disk, leader: leader, shape: loopsOf128(), warmUp: o.warmUp(), duration: o.duration}
			if w.figure, err = l.measure(ctx); err != nil {
				return err
			}
			show(progress, fmt.Sprintf("%d waiting, after %.0f s", n, w.rested.Seconds()), c, l.shape, leader, w.figure)
			r.waiting[c.name] = append(r.waiting[c.name], w)
			return nil
		}
		if n > there {
			fill := &load{system: c.system, disk: r.disk, leader: leader, shape: shape{clients: fillers, messages: ten, operate: connection.sendTen}}
			began := time.Now()
			if w.filling, err = fill.fill(ctx, n-there); err != nil {
				return fmt.Errorf("fill: %w", err)
			}
			fmt.Fprintf(progress, "%s, filled to %d messages in %.0f s\n", c.title, n, time.Since(began).Seconds())
			there = n
			if err := loops(); err != nil {
				return err
			}
			if w.rested, err = rest(ctx, c.system.processes()); err != nil {
				return fmt.Errorf("rest: %w", err)
			}
		}
		if err := loops(); err != nil {
			return err
		}
		if s, ok := c.system.(restarter); ok && n > 0 {
			began := time.Now()
			if err := s.restart(ctx); err != nil {
				return fmt.Errorf("restart: %w", err)
			}
			r.waiting[c.name][len(r.waiting[c.name])-1].restart = time.Since(began)
		}
	}
	return nil
}

// rest waits until servers are quiet, and says how long that took.
func rest(ctx context.Context, servers []*process) (took time.Duration, err error) {
	m, err := newMeter(servers)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for used := restWindow; used > restWindow/5 && time.Since(began) < restLimit; {
		before, err := m.used()
		if err != nil {
			return 0, err
		}
		select {
		case <-time.After(restWindow):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		after, err := m.used()
		if err != nil {
			return 0, err
		}
		used = after - before
	}
	return time.Since(began), nil
}
