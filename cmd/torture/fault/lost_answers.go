package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/netns"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const (
	answerBurst  = 20 * time.Millisecond  // in which answers are lost
	answerCalm   = 300 * time.Millisecond // in which nodes connect again and requests get under way
	brokenAnswer = 5                      // connections that must have lost answers for the strike to count
	answerLimit  = 30 * time.Second       // how long it goes on at most if there are fewer
)

// lostAnswers breaks, again and again, the connections over which other nodes ask the leader, when it answers: they have
// sent requests, which take effect, and never learn of it.
type lostAnswers struct {
	kind
	w *wires
}

func newLostAnswers(w *wires) Fault {
	return lostAnswers{kind{
		name: "lost-peer-answers", about: "what the leader answers to other nodes is lost, and their connections are reset",
		needs: Needs{Root: true}, bound: hang,
	}, w}
}

// Prepare implements Preparer.
func (f lostAnswers) Prepare(_ context.Context, s *Scene) (func() error, error) {
	return f.w.prepare(s, true)
}

// Strike implements Fault.
func (f lostAnswers) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	lasts := s.Between(4*time.Second, 15*time.Second)
	before := f.w.network.Total()
	defer f.w.pass()
	e, err := s.strike(ctx, func() error { return f.burst(ctx, s) })
	if err == nil {
		err = s.outage(ctx, &e, f.bound)
	}
	if err == nil {
		err = again(ctx, e.At, lasts, func() uint64 { return f.w.network.Total().Sub(before).Reset }, func() error { return f.burst(ctx, s) })
	}
	if err != nil {
		return e, err
	}
	lost := f.w.network.Total().Sub(before)
	e.What = fmt.Sprintf("%d connections reset with their answers, %d packets taken", lost.Reset, lost.Cut)
	e.Effective = e.Effective && lost.Reset >= brokenAnswer
	return e, f.w.heal(ctx, s)
}

// again repeats bursts, for so long after the strike, and on until enough answers were lost.
func again(ctx context.Context, struck time.Time, lasts time.Duration, lost func() uint64, burst func() error) (err error) {
	for err == nil && ctx.Err() == nil && (time.Since(struck) < lasts || lost() < brokenAnswer && time.Since(struck) < answerLimit) {
		nodes.Pause(ctx, answerCalm)
		err = burst()
	}
	return err
}

// burst loses the answers of whoever leads now.
func (f lostAnswers) burst(ctx context.Context, s *Scene) error {
	leader, err := s.Cluster.WaitLeader(ctx)
	if err != nil {
		return err
	}
	f.w.network.SetAround(f.w.space(leader), netns.Rule{Cut: true, OnlyFrom: spacePeer, Reset: true}, netns.Rule{})
	nodes.Pause(ctx, answerBurst)
	f.w.pass()
	return nil
}
