package fault

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/netns"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const (
	// cutPackets is how many packets a partition must have taken to count.
	cutPackets = 20
	// refusal is how long a node without a majority may take to say so: far more than the four seconds that it has.
	refusal = 15 * time.Second
)

// partition keeps packets from some nodes. It strikes while a majority remains connected, so writes go on.
type partition struct {
	kind
	w *wires
	// cut sets the rules, for the number of the leader, that of a follower, and the rule that takes everything.
	cut func(n *netns.Network, leader, follower int, all netns.Rule)
	// alone is who has no majority then.
	alone part
	// bridged says that it reaches a third node, and with that a majority as soon as the third one leads.
	bridged bool
}

// part is which node of those that a partition names.
type part int

const (
	nobody part = iota
	theLeader
	theFollower
)

func newPartitions(w *wires) (all []Fault) {
	for _, p := range []partition{
		{kind: kind{name: "isolate-leader", about: "no packet between the leader and the others"}, alone: theLeader,
			cut: func(n *netns.Network, l, _ int, all netns.Rule) { n.SetAround(l, all, all) }},
		{kind: kind{name: "isolate-follower", about: "no packet between a follower and the others"}, alone: theFollower,
			cut: func(n *netns.Network, _, f int, all netns.Rule) { n.SetAround(f, all, all) }},
		{kind: kind{name: "mute-leader", about: "no packet from the leader to the others, which it hears"}, alone: theLeader,
			cut: func(n *netns.Network, l, _ int, all netns.Rule) { n.SetAround(l, all, netns.Rule{}) }},
		{kind: kind{name: "deaf-leader", about: "no packet to the leader from the others, which hear it"}, alone: theLeader,
			cut: func(n *netns.Network, l, _ int, all netns.Rule) { n.SetAround(l, netns.Rule{}, all) }},
		{kind: kind{name: "mute-follower", about: "no packet from a follower to the others, which it hears"}, alone: theFollower,
			cut: func(n *netns.Network, _, f int, all netns.Rule) { n.SetAround(f, all, netns.Rule{}) }},
		{kind: kind{name: "deaf-follower", about: "no packet to a follower from the others, which hear it"}, alone: theFollower,
			cut: func(n *netns.Network, _, f int, all netns.Rule) { n.SetAround(f, netns.Rule{}, all) }},
		{kind: kind{name: "part-leader", about: "no packet between the leader and one follower; both reach the third node"}, alone: theFollower, bridged: true,
			cut: func(n *netns.Network, l, f int, all netns.Rule) { n.SetBetween(l, f, all) }},
		{kind: kind{name: "part-followers", about: "no packet between followers; all reach the leader"},
			cut: func(n *netns.Network, l, _ int, all netns.Rule) {
				n.SetAll(all)
				n.SetAround(l, netns.Rule{}, netns.Rule{})
			}},
	} {
		p.w, p.needs, p.bound = w, Needs{Root: true}, hang
		all = append(all, p)
	}
	return all
}

// Prepare implements Preparer.
func (f partition) Prepare(_ context.Context, s *Scene) (func() error, error) {
	return f.w.prepare(s, true)
}

// Strike implements Fault.
func (f partition) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	leader, err := s.Cluster.WaitLeader(ctx)
	if err != nil {
		return Evidence{}, err
	}
	if err := s.Cluster.LogIn(ctx); err != nil { // a round may be longer than a token lasts
		return Evidence{}, err
	}
	others := s.Cluster.Others(leader)
	follower := others[s.Random.IntN(len(others))]
	lasts := s.Between(4*time.Second, 20*time.Second)
	before := f.w.network.Total()
	defer f.w.pass()
	e, err := s.strike(ctx, func() error {
		f.cut(f.w.network, f.w.space(leader), f.w.space(follower), netns.Rule{Cut: true})
		return nil
	})
	if err != nil {
		return e, err
	}
	if err := s.outage(ctx, &e, f.bound); err != nil {
		return e, err
	}
	alone := map[part]*nodes.Node{theLeader: leader, theFollower: follower}[f.alone]
	if alone != nil {
		err := refuses(ctx, s, alone)
		if err != nil && f.bridged {
			if now, failure := s.Cluster.WaitLeader(ctx); failure == nil && now != leader {
				e.What, e.Effective = fmt.Sprintf("the leadership went from %s to %s, which %s may reach", leader.Name, now.Name, alone.Name), false
				return e, f.w.heal(ctx, s)
			}
		}
		if err != nil {
			return e, err
		}
	}
	nodes.Pause(ctx, time.Until(e.At.Add(lasts)))
	now, err := s.Cluster.WaitLeader(ctx)
	if err != nil {
		return e, err
	}
	taken := f.w.network.Total().Sub(before).Cut
	e.What = fmt.Sprintf("took %d packets in %s; leader %s, then %s", taken, time.Since(e.At).Round(time.Second), leader.Name, now.Name)
	e.Effective = e.Effective && taken >= cutPackets && (f.alone != theLeader || now != leader)
	return e, f.w.heal(ctx, s)
}

// refuses waits until a node without a majority says that it is not ready, and checks that it then refuses a request in
// time instead of keeping it.
func refuses(ctx context.Context, s *Scene, n *nodes.Node) error {
	if err := n.WaitUnready(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, refusal)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL()+"/v1/queues", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.Cluster.Token())
	began := time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("a request to %s, which has no majority: %w", n.Name, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusServiceUnavailable || err != nil {
		return fmt.Errorf("%s has no majority and answers %d %s, %v", n.Name, answer.StatusCode, body, err)
	}
	s.Note("%s, without a majority, refused a request after %s", n.Name, time.Since(began).Round(time.Millisecond))
	return nil
}
