package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/fault"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
	"github.com/fastqueue/fastqueue/cmd/torture/load"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// round is a plan being carried out.
type round struct {
	Plan
	result  *Result
	begin   time.Time
	cluster *nodes.Cluster
	scene   *fault.Scene
	load    *load.Load
	before  []usage                  // of the nodes, before the load
	counted map[*nodes.Process]usage // as last seen
	calm    time.Time                // since when no fault strikes
	term    float64                  // of raft, at that time
}

func (r *round) run(ctx context.Context) (err error) {
	r.begin = time.Now()
	// What the nodes do shows in their logs, and no secret may be in them at any level.
	flags := append([]string{"--log-store", r.LogStore, "--log-level", "debug"}, r.Flags...)
	if r.cluster, err = nodes.New(r.Binary, r.Dir, r.Nodes, flags...); err != nil {
		return err
	}
	// After a replica has found that it differs from two others there is nothing to wait for.
	whole, giveUp := context.WithCancel(ctx)
	defer giveUp()
	r.cluster.Ended = func(p *nodes.Process) {
		if code, _ := p.ExitCode(); code == diverged {
			giveUp()
		}
	}
	// The schedule draws from its own numbers, so that it does not depend on what the load does.
	r.scene = &fault.Scene{Cluster: r.cluster, Random: rand.New(rand.NewPCG(r.Seed, 1<<63)), Short: r.Short, Note: r.note}
	order := r.schedule(r.scene.Random)
	release, err := r.prepare(ctx, order)
	defer func() { err = errors.Join(err, r.cluster.Close(), release()) }()
	if err != nil {
		return err
	}
	if err := r.cluster.Open(ctx); err != nil {
		return fmt.Errorf("start of the cluster: %w", err)
	}
	if r.before, err = measure(r.cluster); err != nil {
		return err
	}
	options := r.Load
	options.Seed = r.Seed
	if r.load, err = load.Start(ctx, r.cluster, options); err != nil {
		return err
	}
	defer r.load.Stop()
	r.scene.Load = r.load
	r.beginCalm()
	if r.strikes(whole, order) {
		r.finish(whole)
	}
	r.conclude()
	return ctx.Err()
}

// prepare puts in place what faults need before the nodes start.
func (r *round) prepare(ctx context.Context, faults []fault.Fault) (release func() error, err error) {
	var releases []func() error
	release = func() error {
		var errs []error
		for _, f := range slices.Backward(releases) {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	prepared := map[string]bool{}
	for _, f := range faults {
		p, ok := f.(fault.Preparer)
		if !ok || prepared[f.Name()] {
			continue
		}
		prepared[f.Name()] = true
		done, err := p.Prepare(ctx, r.scene)
		if done != nil {
			releases = append(releases, done)
		}
		if err != nil {
			return release, fmt.Errorf("prepare %s: %w", f.Name(), err)
		}
	}
	return release, nil
}

// enoughTries is how often a fault strikes that takes no effect: on a busy machine a moment is missed.
const enoughTries = 3

// NoEffect is what Result.Weak says of a fault that missed its moment each time.
const NoEffect = "took no effect"

// strikes carries out the schedule, and says whether the cluster is whole afterwards.
func (r *round) strikes(ctx context.Context, order []fault.Fault) bool {
	for i, f := range order {
		if err := r.load.WaitAcknowledged(ctx, r.Sends/(len(order)+1), r.Deletes/(len(order)+1)); err != nil {
			r.result.violation("I9 liveness: before strike %d: %v", i+1, err)
			return false
		}
		effective := false
		for tries := 0; tries < enoughTries && !effective; tries++ {
			r.endCalm()
			e, err := f.Strike(ctx, r.scene)
			r.beginCalm()
			if !e.At.IsZero() { // it was injected
				r.load.History().AddFault(history.Span{Start: e.At, End: time.Now()})
			}
			r.result.Strikes = append(r.result.Strikes, Strike{f.Name(), e.Effective, e.What, e.UnderWay, e.Unavailable.Seconds()})
			if err != nil {
				r.result.violation("I9 liveness: %s (%s): %v", f.Name(), e.What, err)
				return false
			}
			r.note("%s: %s; writes went on after %s", f.Name(), e.What, e.Unavailable.Round(time.Millisecond))
			effective = e.Effective
		}
		if !effective {
			r.result.weak("%s %s, %d times", f.Name(), NoEffect, enoughTries)
		}
	}
	return true
}

// finish lets the load go on until enough has happened, and drains the cluster.
func (r *round) finish(ctx context.Context) {
	sends, deletes := r.load.History().Acknowledged()
	if err := r.load.WaitAcknowledged(ctx, max(0, r.Sends-sends), max(0, r.Deletes-deletes)); err != nil {
		r.result.weak("%v", err)
	}
	sends, deletes = r.load.History().Acknowledged()
	r.note("%d sends and %d deletes acknowledged; draining", sends, deletes)
	if err := r.load.Finish(ctx); err != nil {
		r.result.violation("I9 liveness: %v", err)
		return
	}
	r.endCalm()
	r.note("drained; checking")
	findings, undecided := r.load.History().Findings()
	for _, f := range findings {
		r.result.violation("%s", f)
	}
	for _, name := range undecided {
		r.result.weak("I7: it takes too long to find an order for what was answered about %s", name)
	}
	r.checkHashes(ctx)
	r.checkLeaks(ctx)
}

// conclude collects what can be said in any case.
func (r *round) conclude() {
	h := r.load.History()
	r.result.Sends, r.result.Deletes = h.Acknowledged()
	r.result.Unknown = h.UnknownSends()
	if r.result.Sends < r.Sends || r.result.Deletes < r.Deletes {
		r.result.weak("%d sends and %d deletes were acknowledged, want %d and %d", r.result.Sends, r.result.Deletes, r.Sends, r.Deletes)
	}
	r.look()
	r.result.Repeats, r.result.Remembered = r.repeats()
	r.checkEnds()
	r.checkLogs()
}

func (r *round) note(format string, args ...any) {
	if r.Log != nil {
		fmt.Fprintf(r.Log, "%8.3f %s\n", time.Since(r.begin).Seconds(), fmt.Sprintf(format, args...))
	}
}
