package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const (
	// Lease is the visibility timeout of the queue "load": long enough that an early second lease is seen as such, short
	// enough for the drain to wait for messages that were leased to nobody.
	Lease = 3 * time.Second

	shortLease     = time.Second
	handoffLease   = 6 * time.Second // longer than a leader is halted in a short run
	clientPatience = 20 * time.Second
	drainLimit     = 2 * time.Minute
	drainers       = 16
)

// The queues that have a name of their own.
const (
	mainQueue  = "load"
	shortQueue = "short"
)

// Options say who does what.
type Options struct {
	Seed uint64
	// Plain are workers that send, or receive and delete, alone and in their order; Mixed do everything that can be done with
	// messages; Handoffs send through one node and receive through another; Registers operate on users and queues.
	Plain, Mixed, Handoffs, Registers int
	// Users is how many users share the work, the admin included; at least 1.
	Users int
	// Beat, unless 0, has all workers begin what they do next together, so often: as many requests under way at once, and
	// less work for the machine.
	Beat time.Duration
	// Clients makes the client of a worker whose requests go through base; nil means one that knows all nodes.
	Clients func(worker int, base http.RoundTripper) (*client.Client, error)
	// Note is told what is worth a line while the load runs; nil: nobody is.
	Note func(format string, args ...any)
}

// Load is a running load.
type Load struct {
	o       Options
	cluster *nodes.Cluster
	nodes   []*nodes.Node // those at the start
	history *history.History
	base    *recorder
	secret  string // is in every body
	users   []credentials
	single  []*client.Client // by node: asks that node once
	anyone  *client.Client   // asks all nodes

	stop    context.CancelFunc
	running sync.WaitGroup

	underWay  atomic.Int64 // requests sent and not answered
	bodies    atomic.Int64 // bodies used so far
	begin     time.Time
	lastWrite atomic.Int64 // when the youngest acknowledged send began, in nanoseconds since begin

	mu     sync.Mutex
	queues []string                     // to be drained
	full   []string                     // those of them that were not empty when last seen, while they are drained
	lapsed map[string]*history.Delivery // by message id: leases that were left to end
}

// Start makes users and queues and starts the workers.
func Start(ctx context.Context, c *nodes.Cluster, o Options) (*Load, error) {
	if o.Note == nil {
		o.Note = func(string, ...any) {}
	}
	h := history.New()
	random := rand.New(rand.NewPCG(o.Seed, 0))
	l := &Load{
		o: o, cluster: c, nodes: slices.Clone(c.Nodes), history: h, base: newRecorder(h), begin: time.Now(),
		secret: fmt.Sprintf("body-%016x", random.Uint64()), lapsed: map[string]*history.Delivery{},
	}
	if err := l.prepare(ctx); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	workers, err := l.workers()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	for _, w := range workers {
		l.running.Go(func() { w.work(working) })
	}
	return l, nil
}

func (l *Load) prepare(ctx context.Context) error {
	if err := l.makeUsers(ctx); err != nil {
		return err
	}
	if err := l.connect(); err != nil {
		return err
	}
	if err := l.createQueue(ctx, mainQueue, Lease); err != nil {
		return err
	}
	if l.o.Mixed > 0 {
		return l.createQueue(ctx, shortQueue, shortLease)
	}
	return nil
}

// connect makes the clients that workers share.
func (l *Load) connect() (err error) {
	u := l.users[0]
	config := client.Config{URLs: l.cluster.URLs(0), Token: u.token, Username: u.name, Password: u.password, Transport: l.base}
	if l.anyone, err = l.cluster.NewClient(config); err != nil {
		return err
	}
	for _, n := range l.nodes {
		config.URLs = []string{n.URL()}
		single, err := l.cluster.NewClient(config)
		if err != nil {
			return err
		}
		l.single = append(l.single, single)
	}
	return nil
}

// workers makes all workers.
func (l *Load) workers() (all []*worker, err error) {
	roles := []struct {
		n    int
		role func(*worker) func(context.Context)
	}{
		{l.o.Plain, func(w *worker) func(context.Context) { return w.plain }},
		{l.o.Mixed, func(w *worker) func(context.Context) { return w.mixed }},
		{l.o.Handoffs, func(w *worker) func(context.Context) { return (&handoff{worker: w}).once }},
		{l.o.Registers, func(w *worker) func(context.Context) { return w.operate }},
	}
	for _, r := range roles {
		for range r.n {
			w := &worker{Load: l, number: len(all), random: rand.New(rand.NewPCG(l.o.Seed, uint64(len(all)+1)))}
			if w.api, err = l.client(w.number); err != nil {
				return nil, err
			}
			if l.o.Clients == nil && !l.patient(w.number) {
				w.how = append(w.how, client.WithoutIdempotencyKey()) // which would hide that nodes apply a send twice
			}
			w.once = r.role(w)
			all = append(all, w)
		}
	}
	return all, nil
}

// patient says whether a worker goes on asking until an election is over. Every other one does.
func (l *Load) patient(worker int) bool { return worker/len(l.nodes)%2 == 1 }

// client makes the client of a worker.
func (l *Load) client(worker int) (*client.Client, error) {
	if l.o.Clients != nil {
		return l.o.Clients(worker, l.base)
	}
	u := l.users[worker%len(l.users)]
	var patience time.Duration
	if l.patient(worker) {
		patience = clientPatience
	}
	return l.cluster.NewClient(client.Config{
		URLs: l.cluster.URLs(worker), Token: u.token, Username: u.name, Password: u.password, Patience: patience, Transport: l.base,
	})
}

// createQueue makes a queue that the drain empties.
func (l *Load) createQueue(ctx context.Context, name string, lease time.Duration) error {
	if err := l.cluster.CreateQueue(ctx, name, lease); err != nil {
		return err
	}
	l.addQueue(name)
	return nil
}

func (l *Load) addQueue(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues = append(l.queues, name)
}

// History is what the clients did and saw so far.
func (l *Load) History() *history.History { return l.history }

// Go runs a further client of the caller's, which ends when its context does; Finish waits for it.
func (l *Load) Go(client func()) { l.running.Go(client) }

// FailedExcept is how many requests to other nodes failed so far: they were cut off or answered with 500 or above.
func (l *Load) FailedExcept(n *nodes.Node) int { return l.base.failedExcept(n.URL()) }

// Secrets are texts that must be in no log: passwords, tokens, a part of every body.
func (l *Load) Secrets() []string {
	secrets := []string{l.secret, nodes.JoinToken, nodes.AdminPassword}
	for _, u := range l.users {
		secrets = append(secrets, u.password, u.token)
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

// Stop ends the workers and waits for their last answers.
func (l *Load) Stop() {
	l.stop()
	l.running.Wait()
}

// Finish ends the workers and drains all queues completely. The cluster must be whole.
func (l *Load) Finish(ctx context.Context) error {
	l.Stop()
	draining, stop := context.WithCancel(ctx)
	defer l.running.Wait()
	defer stop()
	for i := range drainers {
		api, err := l.client(i)
		if err != nil {
			return err
		}
		w := &worker{Load: l, number: i, api: api, random: rand.New(rand.NewPCG(l.o.Seed, uint64(i)))}
		l.running.Go(func() { w.drain(draining) })
	}
	return nodes.Until(ctx, drainLimit, "the queues are drained", func() error { return l.isEmpty(ctx) })
}

func (l *Load) isEmpty(ctx context.Context) error {
	queues, err := l.anyone.Queues(ctx)
	if err != nil {
		return err
	}
	counts := map[string]int64{}
	for _, q := range queues {
		counts[q.Name] = q.MessageCount
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = l.full[:0]
	for _, name := range l.queues {
		n, there := counts[name]
		switch {
		case !there:
			return nodes.Hopeless(errors.New("the queue " + name + " has disappeared"))
		case n > 0:
			l.full = append(l.full, name)
			err = fmt.Errorf("%d messages in %s", n, name)
		}
	}
	return err
}

// Everything is the load of a round: every way to use a cluster.
func Everything() Options { return Options{Mixed: 48, Handoffs: 24, Registers: 3, Users: 4} }

// OnlyHandoffs is a load under which no lease ends and no delay is over for seconds: then a leader may answer without an entry.
func OnlyHandoffs() Options { return Options{Handoffs: 64, Users: 2} }

// MostlyRegisters is a load of users and queues.
func MostlyRegisters() Options { return Options{Mixed: 40, Handoffs: 8, Registers: 10, Users: 4} }

// Named returns a load by its name: "handoffs", "registers", or everything if that is empty.
func Named(name string) (Options, error) {
	switch name {
	case "":
		return Everything(), nil
	case "handoffs":
		return OnlyHandoffs(), nil
	case "registers":
		return MostlyRegisters(), nil
	}
	return Options{}, fmt.Errorf("there is no load %q", name)
}
