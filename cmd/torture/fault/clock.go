package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fastqueue/fastqueue/cluster/faultclock"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// clocks gives the nodes of a round clocks that can be set wrong.
type clocks struct{ of map[*nodes.Node]string } // their files

// Prepare implements Preparer, for all faults of clocks at once.
func (c *clocks) Prepare(_ context.Context, s *Scene) (release func() error, err error) {
	if c.of != nil {
		return nil, nil
	}
	c.of = map[*nodes.Node]string{}
	for _, n := range s.Cluster.Nodes {
		path, err := filepath.Abs(filepath.Join(s.Cluster.Dir, n.Name+".clock"))
		if err != nil {
			return nil, err
		}
		c.of[n] = path
		n.Env = append(n.Env, faultclock.Variable+"="+path)
	}
	return nil, nil
}

// victim is one of the nodes whose clocks can be set.
func (c *clocks) victim(s *Scene) *nodes.Node {
	var able []*nodes.Node
	for _, n := range s.Cluster.Nodes {
		if c.of[n] != "" {
			able = append(able, n)
		}
	}
	return able[s.Random.IntN(len(able))]
}

// clockFault sets the clock of one node wrong, ends the term of the leader, so that the next one begins with the wrong clock,
// and sets it right again.
type clockFault struct {
	kind
	*clocks
	wrong func(random *rand.Rand) faultclock.Setting // but for its Since
	sure  time.Duration                              // how far off it must be seen to be by another node
}

// clockFaults are all faults of clocks. They share the clocks.
func clockFaults() []Fault {
	c := &clocks{}
	of := func(name, about string) kind {
		return kind{name: name, about: about, needs: Needs{Build: []string{"faultclock"}}, bound: hang}
	}
	return []Fault{
		clockFault{of("clock-jump", "the clock of one node is set up to an hour wrong, and the leader changes"), c, jumped, 9 * time.Second},
		clockFault{of("clock-skew", "the clock of one node runs at half to twice its speed, and the leader changes"), c, skewed, time.Second},
	}
}

func jumped(random *rand.Rand) faultclock.Setting {
	by := []time.Duration{10 * time.Second, time.Minute, time.Hour}[random.IntN(3)]
	if random.IntN(2) == 0 {
		by = -by
	}
	return faultclock.Setting{Offset: by, Speed: 1}
}

func skewed(random *rand.Rand) faultclock.Setting {
	return faultclock.Setting{Speed: []float64{0.5, 0.75, 1.5, 2}[random.IntN(4)]}
}

// Strike implements Fault.
func (f clockFault) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	n, wrong := f.victim(s), f.wrong(s.Random)
	kill, length := s.Random.IntN(2) == 0, s.Between(4*time.Second, 12*time.Second)
	e, err := s.strike(ctx, func() error {
		wrong.Since = time.Now()
		return faultclock.Write(f.of[n], wrong)
	})
	if err != nil {
		return e, err
	}
	if err := s.outage(ctx, &e, f.bound); err != nil {
		return e, err
	}
	seen, err := f.seen(ctx, s, n, func(off time.Duration) bool { return off.Abs() >= f.sure })
	if err != nil {
		return e, err
	}
	e.What = fmt.Sprintf("the clock of %s, at %g of its speed, is %s ahead in the eyes of another", n.Name, wrong.Speed, seen)
	ended, err := endTerm(ctx, s, kill)
	if err != nil {
		return e, err
	}
	e.What += "; " + ended
	nodes.Pause(ctx, time.Until(e.At.Add(length)))
	if err := faultclock.Write(f.of[n], faultclock.Right()); err != nil {
		return e, err
	}
	if _, err := f.seen(ctx, s, n, func(off time.Duration) bool { return off.Abs() < f.sure }); err != nil {
		return e, err
	}
	return e, s.Load.WaitWriteWithin(ctx, f.bound, time.Now())
}

// seen waits until another node says of the clock of n how far it is ahead, and that passes.
func (f clockFault) seen(ctx context.Context, s *Scene, n *nodes.Node, pass func(time.Duration) bool) (off time.Duration, err error) {
	others := s.Cluster.Others(n)
	witness := others[s.Random.IntN(len(others))]
	err = nodes.Until(ctx, nodes.Patience, witness.Name+" to see the clock of "+n.Name, func() error {
		view, err := witness.View(ctx)
		if err != nil {
			return err
		}
		for _, m := range view.Members {
			off = time.Duration(m.ClockDifferenceMs) * time.Millisecond
			if m.Name == n.Name && m.Up && pass(off) {
				return nil
			}
		}
		return fmt.Errorf("it is seen as %s ahead", off)
	})
	return off, err
}

// endTerm has another node lead: by killing the leader, which starts again when writes go on, or by a transfer.
func endTerm(ctx context.Context, s *Scene, kill bool) (what string, err error) {
	leader, err := s.Cluster.WaitLeader(ctx)
	if err != nil {
		return "", err
	}
	if !kill {
		err := nodes.Until(ctx, nodes.Patience, "another leader", func() error {
			to, err := leader.API().TransferLeadership(ctx, "")
			if err == nil && to == leader.Name {
				err = fmt.Errorf("%s leads again", to)
			}
			return err
		})
		return "the leadership of " + leader.Name + " was handed over", err
	}
	at := time.Now()
	if err := leader.Signal(syscall.SIGKILL); err != nil {
		return "", err
	}
	if _, err := leader.Process().Wait(ctx); err != nil {
		return "", err
	}
	if err := s.Load.WaitWriteWithin(ctx, hang, at); err != nil {
		return "", err
	}
	return "the leader " + leader.Name + " was killed", s.revive(ctx, leader)
}
