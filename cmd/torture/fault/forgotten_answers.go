package fault

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/proxy"
)

// flushed is the metric that says when a node has last put its state onto the disk and cut its log.
const flushed = "fastqueue_snapshot_last_timestamp_seconds"

// flushLimit is how long a strike waits for that: those whose answers are lost do not wait much longer.
const flushLimit = 3 * time.Second

// forgottenAnswers loses what the leader answers to the others until the leader has put its state onto its disk, and kills it and
// a second node then. The third one sends its commands again, to nodes that know only from their disks what they had answered.
type forgottenAnswers struct {
	kind
	*proxies
}

func newForgottenAnswers(p *proxies) Fault {
	return forgottenAnswers{kind{name: "forgotten-answers", about: "what the leader answers is lost; it and another node are killed when that is only on their disks", bound: hang}, p}
}

// Strike implements Fault.
func (f forgottenAnswers) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	leader, err := s.Cluster.WaitLeader(ctx)
	if err != nil || f.of[leader] == nil {
		return Evidence{What: "the leader has no proxy"}, err
	}
	others := s.Cluster.Others(leader)
	dead := []*nodes.Node{leader, others[s.Random.IntN(len(others))]}
	before := f.swallowed()
	e, err := s.strike(ctx, func() error {
		f.of[leader].Set(proxy.Lost(false))
		return nil
	})
	defer f.of[leader].Pass()
	if err != nil {
		return e, err
	}
	late := f.waitFlush(ctx, leader, e.At)
	for _, n := range dead {
		if err := n.Signal(syscall.SIGKILL); err != nil {
			return e, err
		}
	}
	for _, n := range dead {
		if err := n.Kill(); err != nil {
			return e, err
		}
	}
	killed := time.Now()
	f.of[leader].Pass()
	lost := f.swallowed() - before
	e.What = fmt.Sprintf("%d bytes of answers lost, then killed %s and %s", lost, dead[0].Name, dead[1].Name)
	if late != nil {
		e.What += ": " + late.Error()
	}
	e.Effective = e.Effective && lost > 0 && late == nil
	if err := s.revive(ctx, dead...); err != nil {
		return e, err
	}
	return e, s.outageFrom(ctx, &e, f.bound, killed, killed)
}

// waitFlush waits until a node has put its state onto the disk, with what was answered up to half a second after the strike.
func (f forgottenAnswers) waitFlush(ctx context.Context, n *nodes.Node, struck time.Time) error {
	from := float64(struck.UnixMilli())/1000 + 0.5
	return nodes.Until(ctx, flushLimit, n.Name+" has cut its log", func() error {
		at, err := metric(n, flushed)
		if err == nil && at < from {
			err = fmt.Errorf("not since %s", struck)
		}
		return err
	})
}
