package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// replaceMember removes a node from the cluster for good and has a new one of its name join, which is killed on its way.
type replaceMember struct{ kind }

func newReplaceMember() Fault {
	return replaceMember{kind{name: "replace-member", about: "a node is removed; one with its name joins and is killed on its way", bound: hang}}
}

// Strike implements Fault.
func (f replaceMember) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	n, err := s.follower(ctx)
	if err != nil {
		return Evidence{}, err
	}
	e, err := s.strike(ctx, func() error { return s.remove(ctx, n) })
	if err != nil {
		return e, err
	}
	if err := s.outage(ctx, &e, f.bound); err != nil {
		return e, err
	}
	if err := n.Kill(); err != nil {
		return e, err
	}
	if err := n.Wipe(); err != nil {
		return e, err
	}
	n.Verb = s.Cluster.JoinVerb(n)
	if err := s.startAndKill(ctx, n); err != nil {
		return e, err
	}
	if err := s.begin(ctx, n); err != nil {
		return e, err
	}
	e.What = fmt.Sprintf("%s was removed with %d requests under way; another one took its place", n.Name, e.UnderWay)
	return e, s.Cluster.WaitVoters(ctx, len(s.Cluster.Nodes))
}

// remove takes a member out of the cluster, asking the others as often as need be.
func (s *Scene) remove(ctx context.Context, n *nodes.Node) error {
	return nodes.Until(ctx, nodes.Patience, n.Name+" is no member", func() error {
		leader, view, err := s.leader(ctx)
		if err != nil {
			return err
		}
		for _, m := range view.Members {
			if m.Name == n.Name {
				asking, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				if err := leader.API().RemoveMember(asking, n.Name); err != nil {
					return err
				}
				return fmt.Errorf("%s was a member", n.Name)
			}
		}
		return nil
	})
}

// startAndKill lets a node join for a moment, at random before or after it has its place.
func (s *Scene) startAndKill(ctx context.Context, n *nodes.Node) error {
	if err := n.Start(); err != nil {
		return err
	}
	nodes.Pause(ctx, time.Duration(s.Random.IntN(1_000))*time.Millisecond)
	return n.Kill()
}

// begin starts a node with the command that makes it a member, and waits until it votes.
func (s *Scene) begin(ctx context.Context, n *nodes.Node) error {
	if err := n.Start(); err != nil {
		return err
	}
	if err := n.Process().WaitSays(ctx, "joined"); err != nil {
		return err
	}
	return n.WaitReady(ctx)
}

// addMember adds a node and removes it again, and kills the leader between the two.
type addMember struct{ kind }

func newAddMember() Fault {
	return addMember{kind{name: "add-member", about: "a node joins, the leader is killed, and the node is removed", bound: hang}}
}

// Strike implements Fault.
func (f addMember) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	c := s.Cluster
	n, err := c.Add(c.Nodes[0].Flags...)
	if err != nil {
		return Evidence{}, err
	}
	n.Verb = c.JoinVerb(n)
	if err := c.ConnectTo(n); err != nil {
		return Evidence{}, err
	}
	if err := s.startAndKill(ctx, n); err != nil {
		return Evidence{}, err
	}
	if err := s.begin(ctx, n); err != nil {
		return Evidence{}, err
	}
	if err := c.WaitVoters(ctx, len(c.Nodes)); err != nil {
		return Evidence{}, err
	}
	e, err := s.killLeader(ctx, f.bound)
	if err != nil {
		return e, err
	}
	if err := s.remove(ctx, n); err != nil {
		return e, err
	}
	if err := n.Kill(); err != nil {
		return e, err
	}
	c.Drop(n)
	e.What = fmt.Sprintf("%s joined, %s, and %s was removed", n.Name, e.What, n.Name)
	return e, c.WaitVoters(ctx, len(c.Nodes))
}
