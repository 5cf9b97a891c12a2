package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/fastqueue/fastqueue/cmd/torture/damage"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// damaged kills a node, damages a file of it and starts it again: it may serve if it is right, or end with a line that says
// what to do. Then it gets an empty directory and joins again.
type damaged struct {
	kind
	damage func(dataDir string, rng *rand.Rand) (damage.Done, error)
}

func damageFaults() (all []Fault) {
	add := func(name, what string, do func(string, *rand.Rand) (damage.Done, error)) {
		about := what + " of one node is damaged while it is down; it joins again with an empty directory"
		all = append(all, damaged{kind{name: "damage-" + name, about: about, bound: hang}, do})
	}
	for _, a := range damage.Areas() {
		add(string(a), "a file in the "+string(a), func(dir string, rng *rand.Rand) (damage.Done, error) { return damage.Random(dir, a, rng) })
	}
	add("entry", "one of the newest entries in the log", damage.Entry)
	return all
}

// Strike implements Fault.
func (f damaged) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	n := s.Cluster.Nodes[s.Random.IntN(len(s.Cluster.Nodes))]
	e, err := s.strike(ctx, n.Kill)
	if err != nil {
		return e, err
	}
	done, err := f.damage(n.DataDir, s.Random)
	if err != nil {
		return e, err
	}
	if err := n.Start(); err != nil {
		return e, err
	}
	p := n.Process()
	s.Expect(p)
	if err := s.outage(ctx, &e, f.bound); err != nil {
		return e, err
	}
	err = n.WaitReady(ctx)
	if err == nil {
		err = s.Load.WaitAcknowledged(ctx, 200, 200) // it may meet the damage only now
	}
	if err != nil && !p.Ended() {
		return e, fmt.Errorf("%s, %s: %w", n.Name, done, err)
	}
	says, err := verdict(p)
	e.What = fmt.Sprintf("%s of %s; it %s", done, n.Name, says)
	if err != nil {
		return e, err
	}
	if err := n.Kill(); err != nil {
		return e, err
	}
	if err := s.rejoin(ctx, n); err != nil {
		return e, err
	}
	return e, n.WaitReady(ctx)
}

// verdict says what a damaged node did that was ready or has ended. It must not end without a word on what to do.
func verdict(p *nodes.Process) (says string, err error) {
	code, ended := p.ExitCode()
	if !ended {
		return "serves", nil
	}
	says = fmt.Sprintf("ended with code %d", code)
	if last := p.Tail(); code <= 0 || !strings.Contains(last, "join") && !strings.Contains(last, "delete it") {
		return says, errors.New("it does not say what to do:\n" + last)
	}
	return says, nil
}
