package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/netns"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// badLink makes all links between nodes bad. The cluster has to go on, as slowly as it must, also when another fault strikes
// meanwhile.
type badLink struct {
	kind
	amid Fault // that other one, or nil
	w    *wires
	rule func(random *rand.Rand) netns.Rule
	// took is how many packets it took or delayed.
	took func(netns.Flow) uint64
}

const (
	badPackets  = 50              // that a bad link must have met to count
	oneMegabit  = 125_000         // bytes per second
	slowestHang = 3 * time.Minute // with every fifth packet lost, a request takes seconds
)

func newBadLinks(w *wires) (all []Fault) {
	storm := func(*rand.Rand) netns.Rule {
		return netns.Rule{Loss: 0.02, Double: 0.02, Delay: 5 * time.Millisecond, Jitter: 20 * time.Millisecond, BytesPerSecond: 10 * oneMegabit}
	}
	overtaken := func(f netns.Flow) uint64 { return f.Overtaken }
	for _, l := range []badLink{
		{kind: kind{name: "loss", about: "1, 5 or 20 % of the packets between nodes are lost"},
			rule: func(r *rand.Rand) netns.Rule { return netns.Rule{Loss: []float64{0.01, 0.05, 0.20}[r.IntN(3)]} },
			took: func(f netns.Flow) uint64 { return f.Lost * 10 }}, // each costs a retransmission
		{kind: kind{name: "delay", about: "packets between nodes take 25 to 75 ms and overtake each other"},
			rule: func(*rand.Rand) netns.Rule {
				return netns.Rule{Delay: 25 * time.Millisecond, Jitter: 50 * time.Millisecond}
			},
			took: func(f netns.Flow) uint64 { return f.Late }},
		{kind: kind{name: "slow-links", about: "1 Mbit/s between each two nodes"},
			rule: func(*rand.Rand) netns.Rule { return netns.Rule{BytesPerSecond: oneMegabit} },
			took: func(f netns.Flow) uint64 { return f.Late }},
		{kind: kind{name: "storm", about: "packets between nodes are lost, late, doubled and overtaken, at 10 Mbit/s"},
			rule: storm,
			took: overtaken},
		{kind: kind{name: "kill-leader-in-storm", about: "storm, and meanwhile kill-leader"}, rule: storm, took: overtaken,
			amid: killLeader{kind{bound: slowestHang}}},
		{kind: kind{name: "kill-all-in-storm", about: "storm, and meanwhile kill-all"}, rule: storm, took: overtaken,
			amid: killAll{kind{bound: slowestHang}}},
		{kind: kind{name: "transfers-in-storm", about: "storm, and meanwhile transfers"}, rule: storm, took: overtaken,
			amid: transfers{kind{bound: slowestHang}}},
	} {
		l.w, l.needs, l.bound = w, Needs{Root: true}, slowestHang
		all = append(all, l)
	}
	return all
}

// Prepare implements Preparer.
func (f badLink) Prepare(_ context.Context, s *Scene) (func() error, error) {
	return f.w.prepare(s, true)
}

// Strike implements Fault.
func (f badLink) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	leader, err := s.Cluster.WaitLeader(ctx)
	if err != nil {
		return Evidence{}, err
	}
	rule, lasts := f.rule(s.Random), s.Between(4*time.Second, 30*time.Second)
	before := f.w.network.Total()
	defer f.w.pass()
	e, err := s.strike(ctx, func() error {
		f.w.network.SetAll(rule)
		return nil
	})
	if err != nil {
		return e, err
	}
	sends, deletes := s.Load.History().Acknowledged()
	if err := s.outage(ctx, &e, f.bound); err != nil {
		return e, err
	}
	also := ""
	if f.amid != nil {
		other, err := f.amid.Strike(ctx, s)
		also = other.What + "; "
		if err != nil {
			return e, fmt.Errorf("%s%w", also, err)
		}
		e.Effective = e.Effective && other.Effective
		e.Unavailable = max(e.Unavailable, other.Unavailable)
	}
	nodes.Pause(ctx, time.Until(e.At.Add(lasts)))
	sendsAfter, deletesAfter := s.Load.History().Acknowledged()
	seconds := time.Since(e.At).Seconds()
	met := f.w.network.Total().Sub(before)
	f.w.pass()
	now, err := s.Cluster.WaitLeader(ctx)
	if err != nil {
		return e, err
	}
	e.What = also + fmt.Sprintf("%d packets lost, %d late, %d doubled, %d overtaken of %d; %.0f sends and deletes a second; leader %s, then %s",
		met.Lost+met.Overflown, met.Late, met.Doubled, met.Overtaken, met.Packets,
		float64(sendsAfter+deletesAfter-sends-deletes)/seconds, leader.Name, now.Name)
	e.Effective = e.Effective && f.took(met) >= badPackets
	return e, f.w.heal(ctx, s)
}
