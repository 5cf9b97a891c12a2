package fault

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/faultfs"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// exitStorage is the exit code of a node whose disk failed, cluster.ExitStorage.
const exitStorage = 75

// disks has the nodes of a round keep their data on disks that fail when they are told to.
type disks struct{ of map[*nodes.Node]*faultfs.Disk }

// Prepare implements Preparer, for all faults of disks at once.
func (d *disks) Prepare(_ context.Context, s *Scene) (release func() error, err error) {
	if d.of != nil {
		return nil, nil
	}
	d.of = map[*nodes.Node]*faultfs.Disk{}
	release = func() error {
		var errs []error
		for _, disk := range d.of {
			errs = append(errs, disk.Close())
		}
		return errors.Join(errs...)
	}
	for _, n := range s.Cluster.Nodes {
		disk, err := faultfs.Open(n.DataDir+"-disk", faultfs.Options{})
		if err != nil {
			return release, err
		}
		d.of[n] = disk
		n.DataDir = filepath.Join(disk.Path(), "data")
	}
	return release, nil
}

// diskFault is what the faults of disks have in common.
type diskFault struct {
	kind
	*disks
}

func (d *disks) fault(name, about string) diskFault {
	return diskFault{kind{name: name, about: about, needs: Needs{Root: true, FUSE: true}, bound: hang}, d}
}

// diskFaults are all faults of disks. They share the disks.
func diskFaults() []Fault {
	d := &disks{}
	return []Fault{
		diskError{diskFault: d.fault("write-error", "a write of one node fails with EIO"), inject: writeError},
		diskError{diskFault: d.fault("sync-error", "a sync of one node fails with EIO"), inject: syncError},
		diskError{diskFault: d.fault("disk-full", "the disk of one node has no room at all"), inject: noRoom, full: true},
		diskLow{d.fault("disk-low", "the disks of a majority have less room than the reserve: sends are refused until they have more")},
		slowDisk{diskFault: d.fault("stall-leader", "the leader's syncs hang for ten seconds"), leader: true, stall: true},
		slowDisk{diskFault: d.fault("stall-follower", "the syncs of a node that does not lead hang for ten seconds"), stall: true},
		slowDisk{diskFault: d.fault("slow-leader", "each of the leader's syncs takes 200 ms more"), leader: true},
		slowDisk{diskFault: d.fault("slow-follower", "each sync of a node that does not lead takes 200 ms more"), leader: false},
		powerLoss{diskFault: d.fault("power-loss", "one node loses its power, and what it has not synced"), down: 0, lost: 1},
		powerLoss{diskFault: d.fault("power-loss-other-down", "one node loses its power while another is down"), down: 1, lost: 1},
		powerLoss{diskFault: d.fault("power-loss-rest", "one node is down, and all others lose their power at once"), down: 1, lost: allNodes},
		powerLoss{diskFault: d.fault("power-loss-all", "all nodes lose their power at once"), down: 0, lost: allNodes},
	}
}

// supervise waits for the end of a process that can't go on with its disk, and says how it ended.
func supervise(ctx context.Context, n *nodes.Node) (string, error) {
	began := time.Now()
	code, err := n.Process().Wait(ctx)
	if err != nil {
		return "", err
	}
	if code != exitStorage {
		return "", fmt.Errorf("%s ended with code %d, and should with %d:\n%s", n.Name, code, exitStorage, n.Process().Tail())
	}
	return fmt.Sprintf("%s ended with code %d after %s", n.Name, code, time.Since(began).Round(time.Millisecond)), nil
}
