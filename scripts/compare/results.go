package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// key names the figures of one system under one shape.
type key struct{ shape, system string }

// results are everything that was measured.
type results struct {
	disk       *disk
	contenders []contender // in the order of --systems
	shapes     []shape
	figures    map[key][]figure // one of each round
	waiting    map[string][]waitingFigure
	budgets    map[string]budget // by the name of one of FastQueue's systems
}

// measureRounds measures every system with every shape, round after round.
func (r *results) measureRounds(ctx context.Context, o *options, work string, progress io.Writer) error {
	for round := range o.rounds {
		for i := range r.contenders {
			c := r.contenders[(round+i)%len(r.contenders)]
			dir := filepath.Join(work, c.name)
			err := running(ctx, c, dir, func() error { return r.measure(ctx, o, c, round, progress) })
			if err != nil {
				return fmt.Errorf("%s: %w", c.title, err)
			}
		}
	}
	return nil
}

// measure measures one system that runs.
func (r *results) measure(ctx context.Context, o *options, c contender, round int, progress io.Writer) error {
	for _, s := range r.shapes {
		if s.oursOnly && !c.ours {
			continue
		}
		f, err := r.measureOnce(ctx, o, c, s, "round "+strconv.Itoa(round+1), progress)
		if err != nil {
			return err
		}
		k := key{s.name, c.name}
		r.figures[k] = append(r.figures[k], f)
	}
	return nil
}

// measureOnce measures one shape on a new queue.
func (r *results) measureOnce(ctx context.Context, o *options, c contender, s shape, when string, progress io.Writer) (figure, error) {
	leader, err := c.system.newQueue(ctx)
	if err != nil {
		return figure{}, err
	}
	l := &load{system: c.system, disk: r.disk, leader: leader, shape: s, warmUp: o.warmUp(), duration: o.duration}
	f, err := l.measure(ctx)
	if err != nil {
		return figure{}, fmt.Errorf("%s: %w", s.title, err)
	}
	show(progress, when, c, s, leader, f)
	return f, nil
}

// show prints a line while the run goes on.
func show(progress io.Writer, when string, c contender, s shape, leader int, f figure) {
	fmt.Fprintf(progress, "%s, %s, %s: %.0f/s, p50 %s, p99 %s, leader node %d", when, c.title, s.title, f.rate, milliseconds(f.p50), milliseconds(f.p99), leader+1)
	if f.failed > 0 {
		fmt.Fprintf(progress, ", %d FAILED: %s", f.failed, f.failure)
	}
	fmt.Fprintln(progress)
}

// running starts a system, calls do, and ends the system and its files, whatever happens.
func running(ctx context.Context, c contender, dir string, do func() error) (err error) {
	defer func() {
		c.system.stop()
		if e := os.RemoveAll(dir); err == nil {
			err = e
		}
	}()
	if err := c.system.start(ctx, dir); err != nil {
		return err
	}
	return do()
}

// failed counts the operations of FastQueue that did not succeed. Those of the peers stand in the table.
func (r *results) failed() (n int) {
	for k, rounds := range r.figures {
		if ours(k.system) {
			n += medianFigure(rounds).failed
		}
	}
	for system, waiting := range r.waiting {
		for _, w := range waiting {
			if ours(system) {
				n += w.failed
			}
		}
	}
	return n
}

func ours(system string) bool { return system == fastQueueWAL || system == fastQueueBolt }

// figure returns the median of what one system did under one shape, if it was measured.
func (r *results) figure(shape, system string) (figure, bool) {
	rounds := r.figures[key{shape, system}]
	return medianFigure(rounds), len(rounds) > 0
}

// milliseconds writes a time with three digits that count.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	default:
		return fmt.Sprintf("%.2f ms", ms)
	}
}
