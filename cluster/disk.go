package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	diskInterval = time.Second
	// startRoom is what a node needs to start and catch up, unless its reserve is smaller: the log, a flush of the state
	// and the next segment of the log.
	startRoom = 256 << 20
	// diskHandover is how long a leader on a full disk waits before it looks for a successor again.
	diskHandover = time.Minute
	// diskRelief is the share of the reserve that must be free beyond it before a low disk counts as low no more: a log that
	// is written and truncated around the reserve would move the leadership to and fro.
	diskRelief = 0.05
)

// diskSpace is what a node last saw of the file system of its data directory. The zero value says that it has not looked.
type diskSpace struct {
	free    uint64 // bytes that this process may still use
	reserve uint64 // bytes that should stay free
	low     bool
}

// statfs is the room on the file system that a path is on, or will be on once it is made.
func statfs(path string) (free, total uint64, err error) {
	var s syscall.Statfs_t
	for err = syscall.Statfs(path, &s); errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path; err = syscall.Statfs(path, &s) {
		path = filepath.Dir(path)
	}
	if err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}

// lookAtDisk takes a sample. What is low stays so until there is a little more room than the reserve.
func (n *Node) lookAtDisk() (diskSpace, error) {
	free, total, err := n.config.Disk(n.config.DataDir)
	if err != nil {
		return diskSpace{}, fmt.Errorf("free space of the data directory: %w", err)
	}
	reserve := n.config.DiskReserve.of(total)
	enough := reserve
	if n.disk.Load().low {
		enough += uint64(diskRelief * float64(reserve))
	}
	return diskSpace{free: free, reserve: reserve, low: free < enough}, nil
}

// WaitRoom returns when the file system of the data directory has room for a start, at once if it has it already. Call it
// before Open: it touches nothing, and while it waits Ready says what is missing. The error is that of ctx, or says that
// nobody can tell how much room there is.
func (n *Node) WaitRoom(ctx context.Context) error {
	ticker := time.NewTicker(diskInterval)
	defer ticker.Stop()
	for waited := false; ; waited = true {
		d, err := n.lookAtDisk()
		if err != nil {
			return err
		}
		need := min(d.reserve, startRoom)
		if d.free >= need {
			if waited {
				n.log.Info("there is room on the disk again", "free", inBytes(d.free))
				n.setWaiting("the node is starting")
			}
			return nil
		}
		if !waited {
			n.log.Warn("the disk is full: nothing is opened until there is room", "directory", n.config.DataDir, "free", inBytes(d.free), "needed", inBytes(need))
		}
		n.mu.Lock() // not setWaiting, which would log every change of the number
		n.waiting = fmt.Sprintf("disk_full: %s are free on the disk of %s and %s are needed to start; free some or lower --disk-reserve; once there is room the node goes on by itself",
			inBytes(d.free), n.config.DataDir, inBytes(need))
		n.mu.Unlock()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watchDisk looks at the disk once a second, says when it is low, and has another node lead then.
func (n *Node) watchDisk(ctx context.Context) {
	defer n.ended.Done()
	ticker := time.NewTicker(diskInterval)
	defer ticker.Stop()
	var handedOver time.Time
	for {
		n.sampleDisk()
		if l := n.replica.Load().leadership.Load(); l != nil && n.disk.Load().low && time.Since(handedOver) >= diskHandover {
			if n.leaveToRoomier(ctx, l) {
				handedOver = time.Now()
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sampleDisk notes how much room there is, here and on the majority.
func (n *Node) sampleDisk() {
	d, err := n.lookAtDisk()
	if failed := err != nil; n.diskFails.Swap(failed) != failed && failed {
		n.log.Warn("the disk can't be looked at; what was seen last counts", "error", err)
	}
	if err != nil {
		return
	}
	switch before := n.disk.Swap(&d); {
	case d.low && !before.low:
		n.log.Warn("the disk is low: sends are refused once that is so on a majority of the voters", "directory", n.config.DataDir,
			"free", inBytes(d.free), "reserve", inBytes(d.reserve))
	case !d.low && before.low:
		n.log.Warn("the disk is not low any more", "directory", n.config.DataDir, "free", inBytes(d.free), "reserve", inBytes(d.reserve))
	}
	voters, low := n.disksLow(n.replica.Load())
	n.sendsRefused.Store(low > voters/2)
}

// disksLow counts the voters, and those whose disks were low when they were last heard of. One that has stopped since
// counts on: it waits for room, and is not a place to store anything.
func (n *Node) disksLow(r *replica) (voters, low int) {
	ids := r.voters()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if s, ok := n.statuses[id]; ok && s.DiskLow || id == r.id && n.disk.Load().low {
			low++
		}
	}
	return len(ids), low
}

// leaveToRoomier hands the leadership to a voter whose disk is not low. It reports whether it tried.
func (n *Node) leaveToRoomier(ctx context.Context, l *leadership) bool {
	target, s := n.fittest(ctx, l.r)
	if target == "" || s.DiskLow || n.Draining() {
		return false
	}
	n.log.Warn("handing over the leadership, since the disk is low", "to", target)
	ctx, cancel := context.WithTimeout(ctx, handoverLimit)
	defer cancel()
	if err := n.handOver(ctx, l, target); err != nil {
		n.log.Warn("leadership was not handed over", "to", target, "error", err)
	}
	return true
}

// errDiskLow refuses a send while a majority of the voters has hardly any room.
func errDiskLow() *Error {
	return &Error{
		Code: CodeDiskLow, RetryAfter: diskRetry,
		Detail: "The disks of a majority of the nodes are almost full, so nothing more can be sent. Receiving, deleting and purging go on. " +
			"Free or add disk space on them; GET /v1/cluster says which.",
	}
}

// sendsMessage tells, from the encoding alone, whether a command stores messages.
func sendsMessage(command []byte) bool {
	const sendMessage protowire.Number = 40 // of send_message in fsmpb.Command; TestOnlySendsAreSends compares
	for len(command) > 0 {
		number, kind, n := protowire.ConsumeTag(command)
		if n < 0 {
			return false
		}
		if number == sendMessage {
			return true
		}
		m := protowire.ConsumeFieldValue(number, kind, command[n:])
		if m < 0 {
			return false
		}
		command = command[n+m:]
	}
	return false
}
