package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patience is how much longer than its load a figure may take, with connecting and the last answers.
	patience = 2 * time.Minute
	// dialers connect at the same time.
	dialers = 16
	// silence comes before each burst.
	silence = time.Second
)

// load is a shape put on the queue of one system. Operations that end before the warm-up does are not counted.
type load struct {
	system           system
	disk             *disk
	leader           int // node that leads the queue
	shape            shape
	warmUp, duration time.Duration
}

// measure runs the load and returns its figure. Failed operations are in the figure; an error is something else.
func (l *load) measure(ctx context.Context) (figure, error) {
	ctx, cancel := context.WithTimeout(ctx, l.warmUp+l.duration+patience)
	defer cancel()
	clients, err := l.connect(ctx)
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	if err != nil {
		return figure{}, err
	}
	m, err := newMeter(l.system.processes())
	if err != nil {
		return figure{}, err
	}
	before, err := l.disk.written()
	if err != nil {
		return figure{}, err
	}
	run := l.steady
	if l.shape.burst {
		run = l.bursts
	}
	s, err := run(ctx, m, clients)
	if err != nil {
		return figure{}, err
	}
	after, err := l.disk.written()
	if err != nil {
		return figure{}, err
	}
	return newFigure(l.shape, clients, s, after-before), context.Cause(ctx)
}

// connect opens all connections, a few at a time.
func (l *load) connect(ctx context.Context) ([]*client, error) {
	clients := make([]*client, l.shape.clients)
	for i := range clients {
		clients[i] = &client{load: l, node: (l.leader + 1 + i) % nodes}
		if l.shape.leaderOnly {
			clients[i].node = l.leader
		}
	}
	var next atomic.Int64
	var dialing sync.WaitGroup
	for range dialers {
		dialing.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(clients)); i = next.Add(1) - 1 {
				c := clients[i]
				if c.conn, c.failure = l.system.connect(ctx, c.node); c.failure != nil {
					return
				}
			}
		})
	}
	dialing.Wait()
	for _, c := range clients {
		if c.failure != nil {
			return clients, fmt.Errorf("connect: %w", c.failure)
		}
	}
	return clients, nil
}

// steady has every client start its next operation when the last one is answered.
func (l *load) steady(ctx context.Context, m *meter, clients []*client) (spent, error) {
	from := time.Now().Add(l.warmUp)
	until := from.Add(l.duration)
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() {
			c.work(ctx, from, until)
			c.close() // what was delivered ahead to this client is for the others, which may wait for it
		})
	}
	sleepUntil(ctx, from)
	s, err := m.observe(func() { sleepUntil(ctx, until) })
	running.Wait()
	return s, err
}

// bursts has all clients send one message at the same moment after a silence. Times count from that moment.
func (l *load) bursts(ctx context.Context, m *meter, clients []*client) (spent, error) {
	return m.observe(func() {
		until := time.Now().Add(l.duration)
		for time.Now().Before(until) && ctx.Err() == nil {
			sleepUntil(ctx, time.Now().Add(silence))
			burst(ctx, clients)
		}
	})
}

func burst(ctx context.Context, clients []*client) {
	var running sync.WaitGroup
	var moment time.Time
	start := make(chan struct{})
	for _, c := range clients {
		running.Go(func() {
			<-start
			if c.operate(ctx) {
				c.times = append(c.times, time.Since(moment))
			}
		})
	}
	moment = time.Now()
	close(start)
	running.Wait()
}

// fill leaves n messages in the queue, as fast as many connections send tens.
func (l *load) fill(ctx context.Context, n int) (peak int64, err error) {
	clients, err := l.connect(ctx)
	if err != nil {
		return 0, err
	}
	m, err := newMeter(l.system.processes())
	if err != nil {
		return 0, err
	}
	var left atomic.Int64
	left.Store(int64(n))
	s, err := m.observe(func() {
		var running sync.WaitGroup
		for _, c := range clients {
			running.Go(func() {
				defer c.close()
				for ctx.Err() == nil && left.Add(-ten) >= 0 {
					if !c.operate(ctx) {
						return // a backlog of about n will not do
					}
				}
			})
		}
		running.Wait()
	})
	for _, c := range clients {
		err = errors.Join(err, c.failure)
	}
	return s.anonymous, errors.Join(err, context.Cause(ctx))
}
