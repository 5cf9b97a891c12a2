package fault

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// installed is what a node prints when it has taken a state from the leader in place of log entries.
const installed = "Installed remote snapshot"

// installs counts how often a node took a state from the leader.
func installs(n *nodes.Node) (int, error) {
	text, err := os.ReadFile(n.LogPath)
	return strings.Count(string(text), installed), err
}

// lagLeads halts a node until the leader's log no longer reaches back to it: when it goes on it is sent the state, into a
// process that has an older one in memory. Then it leads.
type lagLeads struct{ kind }

func newLagLeads() Fault {
	return lagLeads{kind{name: "lag-leads", about: "a node is halted until it must be sent the whole state, and then leads", bound: hang}}
}

// Strike implements Fault.
func (f lagLeads) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	n, err := s.follower(ctx)
	if err != nil {
		return Evidence{}, err
	}
	before, err := installs(n)
	if err != nil {
		return Evidence{}, err
	}
	e, err := s.strike(ctx, n.Stop)
	if err != nil {
		return e, err
	}
	outage := s.outage(ctx, &e, f.bound)
	behind := s.waitCut(ctx, n)
	if err := n.Continue(); err != nil {
		return e, err
	}
	if outage != nil {
		return e, outage
	}
	if behind != nil {
		e.What = fmt.Sprintf("halted %s: %v", n.Name, behind)
		e.Effective = false
		return e, nil
	}
	return e, s.takeOver(ctx, n, before, &e)
}

// takeOver waits until a node has got the state and lets it lead.
func (s *Scene) takeOver(ctx context.Context, n *nodes.Node, before int, e *Evidence) error {
	err := nodes.Until(ctx, nodes.Patience, n.Name+" has got the state", func() error {
		now, err := installs(n)
		if err == nil && now == before {
			err = fmt.Errorf("%s was sent nothing but log entries", n.Name)
		}
		return err
	})
	if err != nil {
		e.What, e.Effective = err.Error(), false
		return nil
	}
	if err := n.WaitReady(ctx); err != nil {
		return err
	}
	if err := s.lead(ctx, n); err != nil {
		return err
	}
	e.What = fmt.Sprintf("%s was sent the state with %d requests under way, and leads", n.Name, e.UnderWay)
	return s.Load.WaitWriteWithin(ctx, hang, time.Now())
}

// cutLog finds what a node prints when it drops the head of its log; the last entry that went stands behind "to=".
func cutLog() *regexp.Regexp { return regexp.MustCompile(`compacting logs: .*\bto=(\d+)`) }

// atOnce is how many entries a leader sends in one request. It sends the one that a node did not answer again and again.
const atOnce = 64

// waitCut waits until the leader has dropped entries that a node which does not run lacks, and will not be sent in a request
// that is under way.
func (s *Scene) waitCut(ctx context.Context, gone *nodes.Node) error {
	_, view, err := s.leader(ctx)
	if err != nil {
		return err
	}
	reach := position(view) + atOnce
	cuts := cutLog()
	return nodes.Until(ctx, 2*nodes.Patience, "the log no longer reaches back to "+gone.Name, func() error {
		leader, err := s.Cluster.WaitLeader(ctx)
		if err != nil {
			return err
		}
		found := cuts.FindAllStringSubmatch(leader.Process().Output(), -1)
		if len(found) == 0 {
			return fmt.Errorf("%s has cut nothing", leader.Name)
		}
		to, err := strconv.ParseUint(found[len(found)-1][1], 10, 64)
		if err == nil && to <= reach {
			err = fmt.Errorf("%s has cut its log up to %d, want beyond %d", leader.Name, to, reach)
		}
		return err
	})
}

// position is the last entry that the node whose view it is has applied.
func position(v client.Cluster) uint64 {
	for _, m := range v.Members {
		if m.Name == v.Node {
			return m.AppliedIndex
		}
	}
	return 0
}

// wipeLeads kills a node, removes all it kept, lets it join again under its name, and has it lead.
type wipeLeads struct{ kind }

func newWipeLeads() Fault {
	return wipeLeads{kind{name: "wipe-leads", about: "a node loses all it kept, joins again, and then leads", bound: hang}}
}

// Strike implements Fault.
func (f wipeLeads) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	n, err := s.follower(ctx)
	if err != nil {
		return Evidence{}, err
	}
	before, err := installs(n)
	if err != nil {
		return Evidence{}, err
	}
	e, err := s.strike(ctx, n.Kill)
	if err != nil {
		return e, err
	}
	if err := s.outage(ctx, &e, f.bound); err != nil {
		return e, err
	}
	if err := s.rejoin(ctx, n); err != nil {
		return e, err
	}
	return e, s.takeOver(ctx, n, before, &e)
}

// rejoin lets a node that has ended begin again with nothing, and waits until it votes and no other of its name is left.
func (s *Scene) rejoin(ctx context.Context, n *nodes.Node) error {
	if err := n.Wipe(); err != nil {
		return err
	}
	n.Verb = s.Cluster.JoinVerb(n)
	if err := n.Start(); err != nil {
		return err
	}
	if err := n.Process().WaitSays(ctx, "joined"); err != nil {
		return err
	}
	return s.Cluster.WaitVoters(ctx, len(s.Cluster.Nodes))
}
