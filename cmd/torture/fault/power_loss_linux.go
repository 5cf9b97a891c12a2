package fault

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/faultfs"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const allNodes = -1

// powerLoss takes the power of nodes, and with it what their disks had not synced. The power goes in a sync, so that there is
// something unsynced.
type powerLoss struct {
	diskFault
	down int // nodes that were killed before
	lost int // of the others, nodes that lose their power, or allNodes
}

// Strike implements Fault.
func (f powerLoss) Strike(ctx context.Context, s *Scene) (Evidence, error) {
	order := append([]*nodes.Node{}, s.Cluster.Nodes...)
	s.Random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	down, lost := order[:f.down], order[f.down:]
	if f.lost != allNodes {
		lost = lost[:f.lost]
	}
	after, loss := s.Random.Int64N(20), someLoss(s)
	for _, n := range down {
		if err := n.Kill(); err != nil {
			return Evidence{}, err
		}
	}
	if len(down) > 0 {
		if err := s.Load.WaitWriteAfter(ctx, time.Now()); err != nil {
			return Evidence{}, err
		}
	}
	e, err := s.strike(ctx, func() error { return f.cut(ctx, s, lost, after) })
	if err != nil {
		return e, err
	}
	off := e.injected
	report, effective, err := f.crash(lost, loss)
	if err != nil {
		return e, err
	}
	e.What = fmt.Sprintf("the power of %s is gone (%+v)", report, loss)
	e.Effective = e.Effective && effective
	if up := len(order) - len(lost) - len(down); up > len(order)/2 {
		if err := s.outageFrom(ctx, &e, f.bound, off, off); err != nil {
			return e, err
		}
		return e, s.revive(ctx, lost...)
	}
	if err := s.revive(ctx, append(lost, down...)...); err != nil {
		return e, err
	}
	return e, s.outageFrom(ctx, &e, 2*f.bound, off, off)
}

// someLoss is what a disk loses; in a short run the names, too.
func someLoss(s *Scene) faultfs.Loss {
	loss := faultfs.Loss{Tear: s.Random.IntN(2) == 0, KeepNames: s.Random.IntN(2) == 0, Seed: s.Random.Uint64()}
	loss.KeepNames = loss.KeepNames && !s.Short
	return loss
}

// cut waits until the first of the nodes is in a sync and takes the power of all of them then.
func (f powerLoss) cut(ctx context.Context, s *Scene, lost []*nodes.Node, after int64) error {
	sync := f.of[lost[0]].Inject(faultfs.Fault{Op: faultfs.Sync, Stall: true, After: after})
	defer sync.Lift()
	select {
	case <-sync.Met():
	case <-time.After(nodes.Patience):
		return fmt.Errorf("%s has synced nothing for %s", lost[0].Name, nodes.Patience)
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, n := range lost {
		s.Expect(n.Process()) // some notice that nothing works any more before they are killed
		f.of[n].PowerOff()
	}
	for _, n := range lost {
		if err := n.Kill(); err != nil {
			return err
		}
	}
	return nil
}

func (f powerLoss) crash(lost []*nodes.Node, loss faultfs.Loss) (report string, effective bool, err error) {
	var each []string
	var unsynced int64
	for _, n := range lost {
		took, err := f.of[n].Crash(loss)
		if err != nil {
			return "", false, err
		}
		unsynced += took.Unsynced + took.Names
		each = append(each, fmt.Sprintf("%s (lost %d of %d unsynced bytes of %d files, and %d names)", n.Name, took.Bytes, took.Unsynced, took.Files, took.Names))
	}
	return strings.Join(each, ", "), unsynced > 0, nil
}
