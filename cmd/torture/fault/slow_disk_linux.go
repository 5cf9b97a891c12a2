package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/faultfs"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const (
	stallTime = 10 * time.Second
	slowTime  = 10 * time.Second
	slowSync  = 200 * time.Millisecond
)

// slowDisk has the syncs of one node take long, or hang.
type slowDisk struct {
	diskFault
	leader, stall bool
}

// Strike implements Fault.
func (f slowDisk) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	n, err := s.victim(ctx, f.leader)
	if err != nil {
		return Evidence{}, err
	}
	fault, length := faultfs.Fault{Op: faultfs.Sync, Delay: slowSync}, slowTime
	if f.stall {
		fault, length = faultfs.Fault{Op: faultfs.Sync, Stall: true}, stallTime
	}
	var injected *faultfs.Injected
	e, err := s.strike(ctx, func() error {
		if f.stall {
			s.Expect(n.Process())
		}
		injected = f.of[n].Inject(fault)
		return nil
	})
	if err != nil {
		return e, err
	}
	defer injected.Lift()
	if err := s.outage(ctx, &e, f.bound); err != nil { // the writes do not wait for the end of the fault
		return e, err
	}
	nodes.Pause(ctx, time.Until(e.At.Add(length)))
	injected.Lift()
	e.Effective = e.Effective && injected.Hits() > 0
	e.What = fmt.Sprintf("%d syncs of %s took long", injected.Hits(), n.Name)
	if !f.stall {
		return e, n.WaitReady(ctx)
	}
	ended, err := supervise(ctx, n) // what hangs for so long has ended the process, once the call returns
	if err != nil {
		return e, err
	}
	e.What += "; " + ended
	return e, s.revive(ctx, n)
}
