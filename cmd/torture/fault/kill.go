package fault

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// killLeader is kill -9 of the leader.
type killLeader struct{ kind }

func newKillLeader() Fault {
	return killLeader{kind{name: "kill-leader", about: "kill -9 of the leader, which is started again when writes go on", bound: hang}}
}

// Strike implements Fault.
func (f killLeader) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	return s.killLeader(ctx, f.bound)
}

// killLeader kills whoever leads, waits until writes go on under another leader, and starts the node again.
func (s *Scene) killLeader(ctx context.Context, bound time.Duration) (Evidence, error) {
	var leader *nodes.Node
	e, err := s.strike(ctx, func() (err error) {
		if leader, err = s.Cluster.WaitLeader(ctx); err == nil { // who leads now
			err = leader.Kill()
		}
		return err
	})
	if err != nil {
		return e, err
	}
	if err := s.outage(ctx, &e, bound); err != nil {
		return e, err
	}
	next, err := s.Cluster.WaitLeader(ctx)
	if err != nil {
		return e, err
	}
	e.What = fmt.Sprintf("killed %s with %d requests under way; %s leads", leader.Name, e.UnderWay, next.Name)
	e.Effective = e.Effective && next != leader
	return e, s.revive(ctx, leader)
}

// killFollower is kill -9 of a node that does not lead.
type killFollower struct{ kind }

func newKillFollower() Fault {
	return killFollower{kind{name: "kill-follower", about: "kill -9 of a node that does not lead; the others go on answering", bound: hang}}
}

// Strike implements Fault.
func (f killFollower) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	n, err := s.follower(ctx)
	if err != nil {
		return Evidence{}, err
	}
	before := s.Load.FailedExcept(n)
	e, err := s.strike(ctx, n.Kill)
	if err != nil {
		return e, err
	}
	e.What = fmt.Sprintf("killed %s with %d requests under way", n.Name, e.UnderWay)
	if err := s.outage(ctx, &e, f.bound); err != nil {
		return e, err
	}
	if err := s.revive(ctx, n); err != nil {
		return e, err
	}
	if failed := s.Load.FailedExcept(n) - before; failed > 0 {
		return e, fmt.Errorf("%d requests to the other nodes failed though the leader lived", failed)
	}
	return e, nil
}

// killAll is kill -9 of all nodes at once.
type killAll struct{ kind }

func newKillAll() Fault {
	return killAll{kind{name: "kill-all", about: "kill -9 of all nodes at once, which are started again", bound: 2 * hang}}
}

// Strike implements Fault.
func (f killAll) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	all := s.Cluster.Nodes
	e, err := s.strike(ctx, func() error {
		for _, n := range all {
			if err := n.Signal(syscall.SIGKILL); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return e, err
	}
	for _, n := range all {
		if _, err := n.Process().Wait(ctx); err != nil {
			return e, err
		}
	}
	e.What = fmt.Sprintf("killed %d nodes with %d requests under way", len(all), e.UnderWay)
	if err := s.revive(ctx, all...); err != nil {
		return e, err
	}
	return e, s.outage(ctx, &e, f.bound)
}
