package fault

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/load"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// Fault is one kind of fault. A value serves one round: one cluster's life.
type Fault interface {
	// Name is what --fault calls it.
	Name() string
	// About says in a line what it does.
	About() string
	// Needs is what the machine and the build must have.
	Needs() Needs
	// Bound is how long it may take until writes go on: far more than it should, so that what is beyond it hangs.
	Bound() time.Duration
	// Strike injects the fault into a cluster that is whole, waits as long as it lasts, heals it, and returns when the cluster is
	// whole again. An error means that it did not become so, or writes did not go on in time.
	Strike(ctx context.Context, s *Scene) (Evidence, error)
}

// Preparer is a Fault that needs something in place before the nodes start. Prepare changes the nodes' fields; what it returns
// is called when they have ended, and may be nil.
type Preparer interface {
	Prepare(ctx context.Context, s *Scene) (release func() error, err error)
}

// Scene is where a fault strikes. Load is nil in Prepare.
type Scene struct {
	Cluster *nodes.Cluster
	Load    *load.Load
	Random  *rand.Rand // the schedule's: the same seed strikes the same way
	Short   bool       // take the shortest times
	Note    func(format string, args ...any)

	expected map[*nodes.Process]bool
	links    string // what stands between the nodes and those who talk to them
}

// Evidence is what a strike did.
type Evidence struct {
	At          time.Time     // of the injection
	Effective   bool          // it did what its kind is about
	What        string        // it did, for people, with the figures that show it
	UnderWay    int64         // requests under way at the injection
	Unavailable time.Duration // from the injection to the answer to the first send that began when it was complete

	injected time.Time // when the injection was complete
}

// Needs is what a fault cannot do without.
type Needs struct {
	Root  bool     // also of network namespaces
	FUSE  bool     // the device /dev/fuse
	Build []string // build tags of the node's program
}

// Expect says that a process may end by itself from now on, because of a fault.
func (s *Scene) Expect(p *nodes.Process) {
	if s.expected == nil {
		s.expected = map[*nodes.Process]bool{}
	}
	s.expected[p] = true
}

// Expected says whether a process was expected to end by itself.
func (s *Scene) Expected(p *nodes.Process) bool { return s.expected[p] }

// link says what a fault puts between the nodes and those who talk to them. A round takes only one kind of it.
func (s *Scene) link(by string) error {
	if s.links != "" && s.links != by {
		return fmt.Errorf("faults that need %s and faults that need %s do not go together: give them rounds of their own", s.links, by)
	}
	s.links = by
	return nil
}

// Between chooses a time, as likely between 1 and 3 s as between 3 and 9; in a short run the least.
func (s *Scene) Between(least, most time.Duration) time.Duration {
	ratio := float64(most) / float64(least)
	d := time.Duration(float64(least) * math.Pow(ratio, s.Random.Float64())) // drawn in any case, so that schedules are alike
	if s.Short {
		return least
	}
	return d
}

// strike is the injection: it is made when enough requests are under way, and noted.
func (s *Scene) strike(ctx context.Context, inject func() error) (Evidence, error) {
	if err := s.Load.WaitUnderWay(ctx, enoughUnderWay); err != nil {
		return Evidence{}, err
	}
	e := Evidence{At: time.Now(), UnderWay: s.Load.UnderWay()}
	e.Effective = e.UnderWay >= enoughUnderWay
	err := inject()
	e.injected = time.Now()
	return e, err
}

// enoughUnderWay is how many requests must be under way at an injection for it to count.
const enoughUnderWay = 32

// outage waits until a send that began after the injection is answered, and notes how long that took.
func (s *Scene) outage(ctx context.Context, e *Evidence, bound time.Duration) error {
	return s.outageFrom(ctx, e, bound, e.At, e.injected)
}

// outageFrom waits until a send that began after a time is answered, and notes how long that took from another one. Of several
// outages of a strike the longest is noted.
func (s *Scene) outageFrom(ctx context.Context, e *Evidence, bound time.Duration, from, after time.Time) error {
	if err := s.Load.WaitWriteWithin(ctx, bound, after); err != nil {
		return err
	}
	e.Unavailable = max(e.Unavailable, time.Since(from))
	return nil
}

// revive starts nodes again and waits until they are ready.
func (s *Scene) revive(ctx context.Context, dead ...*nodes.Node) error {
	for _, n := range dead {
		if err := n.Start(); err != nil {
			return err
		}
	}
	for _, n := range dead {
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// leader finds the leader and how it sees the cluster.
func (s *Scene) leader(ctx context.Context) (n *nodes.Node, view client.Cluster, err error) {
	if n, err = s.Cluster.WaitLeader(ctx); err == nil {
		view, err = n.View(ctx)
	}
	return n, view, err
}

// follower chooses a node that does not lead.
func (s *Scene) follower(ctx context.Context) (*nodes.Node, error) {
	leader, err := s.Cluster.WaitLeader(ctx)
	if err != nil {
		return nil, err
	}
	others := s.Cluster.Others(leader)
	if len(others) == 0 {
		return nil, errors.New("the cluster has no follower")
	}
	return others[s.Random.IntN(len(others))], nil
}

// victim is the leader or another node.
func (s *Scene) victim(ctx context.Context, leader bool) (*nodes.Node, error) {
	if leader {
		return s.Cluster.WaitLeader(ctx)
	}
	return s.follower(ctx)
}

// All are the faults, each new: for one round.
func All() []Fault {
	return slices.Concat([]Fault{
		newKillLeader(), newKillFollower(), newKillAll(), newPauseLeader(), newPauseFollower(), newTransfers(), newRollingRestart(),
		newLagLeads(), newWipeLeads(), newReplaceMember(), newAddMember(), newTinyThresholds(),
	}, proxyFaults(), diskFaults(), damageFaults(), networkFaults(), clockFaults())
}

// Named returns the faults with the given names, in their order.
func Named(names []string) ([]Fault, error) {
	var chosen []Fault
	all := map[string]Fault{}
	for _, f := range All() {
		all[f.Name()] = f
	}
	for _, name := range names {
		f := all[name]
		if f == nil {
			return nil, fmt.Errorf("there is no fault %q; \"torture list\" shows all", name)
		}
		chosen = append(chosen, f)
	}
	return chosen, nil
}
