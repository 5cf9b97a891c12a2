package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// pause is SIGSTOP of one node for a while. A leader that is halted for longer than an election takes must not answer as one
// when it goes on.
type pause struct {
	kind
	leader bool
}

func newPauseLeader() Fault {
	return pause{kind{name: "pause-leader", about: "SIGSTOP of the leader for 1 to 30 seconds", bound: hang}, true}
}

func newPauseFollower() Fault {
	return pause{kind{name: "pause-follower", about: "SIGSTOP of a node that does not lead for 1 to 30 seconds", bound: hang}, false}
}

// Strike implements Fault.
func (f pause) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	length := s.Between(time.Second, 30*time.Second)
	if s.Short { // long enough for an election
		length = 3 * time.Second
	}
	var n *nodes.Node
	e, err := s.strike(ctx, func() (err error) {
		if n, err = s.victim(ctx, f.leader); err == nil { // who leads now
			err = n.Stop()
		}
		return err
	})
	if err != nil {
		return e, err
	}
	e.What = fmt.Sprintf("halted %s for %s with %d requests under way", n.Name, length.Round(time.Millisecond), e.UnderWay)
	outage := s.outage(ctx, &e, f.bound)
	nodes.Pause(ctx, length-time.Since(e.At))
	if f.leader {
		next, err := s.Cluster.WaitLeader(ctx)
		e.Effective = e.Effective && err == nil && next != n
	}
	if err := n.Continue(); err != nil {
		return e, err
	}
	if outage != nil {
		return e, outage
	}
	return e, n.WaitReady(ctx)
}
