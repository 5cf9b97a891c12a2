package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/proxy"
)

// clientLink breaks what is between the clients and one node, which itself is well. Writes go on through the others.
type clientLink struct {
	kind
	w *wires
	// leader has it strike the leader's clients, otherwise those of any node.
	leader bool
	// breaks does it, again and again while the strike lasts; even is drawn for the strike.
	breaks func(p *proxy.Proxy, even bool)
	// took says in figures what it did, and whether that is enough.
	took func(c proxy.Counters) (what string, enough bool)
}

const (
	brokenClients = 8        // connections
	brokenBytes   = 1 << 10  // bytes
	slowClients   = 32 << 10 // bytes per second
	linkPause     = 50 * time.Millisecond
)

func newClientLinks(w *wires) (all []Fault) {
	for _, l := range []clientLink{
		{kind: kind{name: "lost-client-answers", about: "what a node answers to its clients is lost; they wait, or are reset"},
			breaks: func(p *proxy.Proxy, even bool) { p.Set(proxy.Lost(even)) },
			took: func(c proxy.Counters) (string, bool) {
				return fmt.Sprintf("%d connections lost their answers", c.Responses.Cut), c.Responses.Cut >= brokenClients
			}},
		{kind: kind{name: "half-open-clients", about: "clients' connections to the leader stay open, and nothing passes"}, leader: true,
			breaks: func(p *proxy.Proxy, _ bool) { p.Set(proxy.HalfOpen()) },
			took: func(c proxy.Counters) (string, bool) {
				held := c.Requests.Held + c.Responses.Held
				return fmt.Sprintf("%d bytes held", held), held >= brokenBytes
			}},
		{kind: kind{name: "slow-clients", about: "32 KiB/s between a node and its clients"},
			breaks: func(p *proxy.Proxy, _ bool) { p.Set(proxy.Slow(slowClients)) },
			took: func(c proxy.Counters) (string, bool) {
				late := c.Requests.Delayed + c.Responses.Delayed
				return fmt.Sprintf("%d bytes late", late), late >= brokenBytes
			}},
		{kind: kind{name: "reset-clients", about: "the leader's clients are reset again and again, and new ones refused"}, leader: true,
			breaks: func(p *proxy.Proxy, _ bool) {
				p.Refuse(true)
				p.Cut()
			},
			took: func(c proxy.Counters) (string, bool) {
				return fmt.Sprintf("%d connections reset, %d refused", c.Reset, c.Refused), c.Reset+c.Refused >= brokenClients
			}},
	} {
		l.w, l.bound = w, hang
		all = append(all, l)
	}
	return all
}

// Prepare implements Preparer.
func (f clientLink) Prepare(_ context.Context, s *Scene) (func() error, error) {
	return f.w.prepare(s, false)
}

// Strike implements Fault.
func (f clientLink) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	n := s.Cluster.Nodes[s.Random.IntN(len(s.Cluster.Nodes))]
	even, lasts := s.Random.IntN(2) == 0, s.Between(2*time.Second, 10*time.Second)
	if f.leader {
		leader, err := s.Cluster.WaitLeader(ctx)
		if err != nil {
			return Evidence{}, err
		}
		n = leader
	}
	p := f.w.proxy(n)
	before := p.Counters()
	defer f.w.pass()
	e, err := s.strike(ctx, func() error {
		f.breaks(p, even)
		return nil
	})
	if err != nil {
		return e, err
	}
	if err := s.outage(ctx, &e, f.bound); err != nil {
		return e, err
	}
	for time.Since(e.At) < lasts && ctx.Err() == nil {
		nodes.Pause(ctx, linkPause)
		f.breaks(p, even)
	}
	what, enough := f.took(p.Counters().Sub(before))
	e.What = what + " at " + n.Name
	e.Effective = e.Effective && enough
	return e, f.w.heal(ctx, s)
}
