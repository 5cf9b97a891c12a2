package fault

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/faultfs"
)

// diskError has the calls of one node's disk fail. The node has to end with the storage code; it is started again as a
// supervisor would. What is called unavailable begins with its end.
type diskError struct {
	diskFault
	inject func(*faultfs.Disk) []*faultfs.Injected
	full   bool // it waits for room when it is started again
}

func writeError(d *faultfs.Disk) []*faultfs.Injected {
	return []*faultfs.Injected{d.Inject(faultfs.Fault{Op: faultfs.Write, Err: syscall.EIO, After: 20_000})}
}

func syncError(d *faultfs.Disk) []*faultfs.Injected {
	return []*faultfs.Injected{d.Inject(faultfs.Fault{Op: faultfs.Sync, Err: syscall.EIO, After: 10})}
}

// noRoom also fails what is written over old bytes: file systems that copy on write need room for that.
func noRoom(d *faultfs.Disk) []*faultfs.Injected {
	d.SetRoom(0)
	return []*faultfs.Injected{d.Inject(faultfs.Fault{Op: faultfs.Write, Err: syscall.ENOSPC})}
}

// Strike implements Fault.
func (f diskError) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	leads := s.Random.IntN(2) == 0
	n, err := s.victim(ctx, leads)
	if err != nil {
		return Evidence{}, err
	}
	disk := f.of[n]
	var injected []*faultfs.Injected
	e, err := s.strike(ctx, func() error {
		if !n.Running() {
			return fmt.Errorf("%s has ended before the fault:\n%s", n.Name, n.Process().Tail())
		}
		s.Expect(n.Process())
		injected = f.inject(disk)
		return nil
	})
	defer disk.LiftAll()
	defer disk.SetRoom(-1)
	if err != nil {
		return e, err
	}
	ended, err := supervise(ctx, n)
	endedAt := time.Now()
	if err != nil {
		return e, err
	}
	hits := int64(0)
	for _, i := range injected {
		hits += i.Hits()
	}
	e.Effective = e.Effective && hits > 0
	e.What = fmt.Sprintf("%d calls of %s (leading: %v) failed; %s", hits, n.Name, leads, ended)
	if err := s.outageFrom(ctx, &e, f.bound, endedAt, endedAt); err != nil {
		return e, err
	}
	if !f.full {
		disk.LiftAll()
		return e, s.revive(ctx, n)
	}
	if err := n.Start(); err != nil {
		return e, err
	}
	if err := n.WaitUnready(ctx); err != nil {
		return e, err
	}
	s.Expect(n.Process()) // should it try to write all the same
	disk.LiftAll()
	disk.SetRoom(-1)
	return e, n.WaitReady(ctx)
}
