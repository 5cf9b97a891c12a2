package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// transfers moves the leadership again and again.
type transfers struct{ kind }

func newTransfers() Fault {
	return transfers{kind{name: "transfers", about: "the leadership is handed over again and again", bound: hang}}
}

// Strike implements Fault. What is called unavailable is the longest of the transfers.
func (f transfers) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	times := 4 + s.Random.IntN(8)
	if s.Short {
		times = 4
	}
	e, err := s.strike(ctx, func() error { return nil })
	if err != nil {
		return e, err
	}
	moved := 0
	for range times {
		before, err := s.Cluster.WaitLeader(ctx)
		if err != nil {
			return e, err
		}
		began := time.Now()
		if _, err := before.API().TransferLeadership(ctx, ""); err != nil && client.OutcomeOf(err) != client.Unknown {
			s.Note("transfer from %s: %v", before.Name, err)
		}
		after, err := s.Cluster.WaitLeader(ctx)
		if err != nil {
			return e, err
		}
		if after != before {
			moved++
		}
		if err := s.outageFrom(ctx, &e, f.bound, began, time.Now()); err != nil {
			return e, err
		}
	}
	e.What = fmt.Sprintf("the leadership moved %d of %d times with %d requests under way", moved, times, e.UnderWay)
	e.Effective = e.Effective && moved > times/2
	return e, nil
}

// lead waits until a node leads, which it is told to as often as need be.
func (s *Scene) lead(ctx context.Context, n *nodes.Node) error {
	return nodes.Until(ctx, nodes.Patience, n.Name+" leads", func() error {
		leader, err := s.Cluster.WaitLeader(ctx)
		if err != nil || leader == n {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if _, err := leader.API().TransferLeadership(asking, n.Name); err != nil {
			return err
		}
		return fmt.Errorf("%s led", leader.Name)
	})
}
