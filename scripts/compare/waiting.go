package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// fillers is how many connections fill the queue.
const fillers = 64

// waitingFigure is what loops cost while messages wait.
type waitingFigure struct {
	figure
	waiting int           // messages
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
		if n > there {
			fill := &load{system: c.system, disk: r.disk, leader: leader, shape: shape{clients: fillers, messages: ten, operate: connection.sendTen}}
			began := time.Now()
			if w.filling, err = fill.fill(ctx, n-there); err != nil {
				return fmt.Errorf("fill: %w", err)
			}
			fmt.Fprintf(progress, "%s, filled to %d messages in %.0f s\n", c.title, n, time.Since(began).Seconds())
			there = n
		}
		l := &load{system: c.system, disk: r.disk, leader: leader, shape: loopsOf128(), warmUp: o.warmUp(), duration: o.duration}
		if w.figure, err = l.measure(ctx); err != nil {
			return err
		}
		if s, ok := c.system.(restarter); ok && n > 0 {
			began := time.Now()
			if err := s.restart(ctx); err != nil {
				return fmt.Errorf("restart: %w", err)
			}
			w.restart = time.Since(began)
		}
		show(progress, fmt.Sprintf("%d waiting", n), c, l.shape, leader, w.figure)
		r.waiting[c.name] = append(r.waiting[c.name], w)
	}
	return nil
}
