package fault

import (
	"context"
	"fmt"
	"time"
)

// rollingRestart is SIGTERM of one node after the other, each of which is started again when it has ended.
type rollingRestart struct{ kind }

func newRollingRestart() Fault {
	return rollingRestart{kind{name: "rolling-restart", about: "SIGTERM of one node after the other, each started again", bound: hang}}
}

// Strike implements Fault. What is called unavailable is the longest of the three, each from the end of the node.
func (f rollingRestart) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	e, err := s.strike(ctx, func() error { return nil })
	if err != nil {
		return e, err
	}
	for _, n := range s.Cluster.Nodes {
		if err := n.Terminate(); err != nil {
			return e, err
		}
		code, err := n.Process().Wait(ctx)
		if err != nil {
			return e, err
		}
		if code != 0 {
			return e, fmt.Errorf("%s ended with code %d after SIGTERM", n.Name, code)
		}
		ended := time.Now()
		if err := s.outageFrom(ctx, &e, f.bound, ended, ended); err != nil {
			return e, err
		}
		if err := s.revive(ctx, n); err != nil {
			return e, err
		}
	}
	e.What = fmt.Sprintf("stopped and started %d nodes with %d requests under way", len(s.Cluster.Nodes), e.UnderWay)
	return e, nil
}
