package fault

import (
	"context"
	"fmt"
	"slices"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// tiny are flags with which the log is cut at every look at it, and its files hold a few entries each.
func tiny() []string {
	return []string{"--snapshot-entries=50", "--trailing-logs=5", "--snapshot-bytes=4KiB", "--segment-bytes=4KiB"}
}

// tinyThresholds starts all nodes again, one after the other, with logs that keep next to nothing. One of them is killed, misses
// entries that the others drop, is killed once more on its way back, and must be sent the whole state onto an older one.
type tinyThresholds struct{ kind }

func newTinyThresholds() Fault {
	return tinyThresholds{kind{
		name: "tiny-thresholds", about: "logs keep next to nothing; a killed node is killed again while it is sent the state", bound: hang,
	}}
}

// Strike implements Fault.
func (f tinyThresholds) Strike(ctx context.Context, s *Scene) (e Evidence, err error) {
	for i, n := range slices.Clone(s.Cluster.Nodes) {
		before := n.Flags
		n.Flags = append(slices.Clone(before), tiny()...) // of two flags the later one counts
		defer func() { n.Flags = before }()               // from its next start on
		if i > 0 {
			err = n.Kill()
		} else if e, err = s.strike(ctx, n.Kill); err == nil {
			err = s.outage(ctx, &e, f.bound)
		}
		if err == nil {
			err = s.revive(ctx, n)
		}
		if err != nil {
			return e, err
		}
	}
	n, err := s.follower(ctx)
	if err != nil {
		return e, err
	}
	return e, f.rejoin(ctx, s, n, &e)
}

// rejoin kills a node and lets it come back when the log no longer reaches back to it.
func (f tinyThresholds) rejoin(ctx context.Context, s *Scene, n *nodes.Node, e *Evidence) error {
	before, err := installs(n)
	if err != nil {
		return err
	}
	if err := n.Kill(); err != nil {
		return err
	}
	if err := s.waitCut(ctx, n); err != nil {
		return err
	}
	if err := s.startAndKill(ctx, n); err != nil {
		return err
	}
	if err := s.revive(ctx, n); err != nil {
		return err
	}
	after := before
	err = nodes.Until(ctx, nodes.Patience, n.Name+" is sent the state", func() error {
		if after, err = installs(n); err == nil && after == before {
			err = fmt.Errorf("%s was sent nothing but log entries", n.Name)
		}
		return err
	})
	e.Effective = e.Effective && err == nil
	e.What = fmt.Sprintf("with tiny logs %s was killed twice and sent the state %d times", n.Name, after-before)
	return nil
}
