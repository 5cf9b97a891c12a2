package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/proxy"
)

// cutAnswers is lostAnswers on a machine that has no network namespaces: the leader's answers to the others are swallowed for a
// moment by a proxy, which resets their connections.
type cutAnswers struct {
	kind
	*proxies
}

func newCutAnswers(p *proxies) Fault {
	return cutAnswers{kind{name: "cut-answers", about: "what the leader answers to other nodes is lost in proxies, and their connections are reset", bound: hang}, p}
}

// Strike implements Fault.
func (f cutAnswers) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	lasts := s.Between(3*time.Second, 15*time.Second)
	before := f.resets()
	e, err := s.strike(ctx, func() error { return f.burst(ctx, s) })
	if err == nil {
		err = s.outage(ctx, &e, f.bound)
	}
	if err == nil {
		err = again(ctx, e.At, lasts, func() uint64 { return f.resets() - before }, func() error { return f.burst(ctx, s) })
	}
	reset := f.resets() - before
	e.What = fmt.Sprintf("%d connections to the leader reset, their answers lost", reset)
	e.Effective = e.Effective && reset >= brokenAnswer
	return e, err
}

// burst loses the answers of whoever leads now. A node that was added later has no proxy.
func (f cutAnswers) burst(ctx context.Context, s *Scene) error {
	leader, err := s.Cluster.WaitLeader(ctx)
	if err != nil || f.of[leader] == nil {
		return err
	}
	f.of[leader].Set(proxy.Lost(true))
	nodes.Pause(ctx, answerBurst)
	f.of[leader].Pass()
	return nil
}
