//go:build linux

package faultfs

import (
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Op is a kind of call that a fault may hit.
type Op int

const (
	// Write is write, truncate and fallocate of a file.
	Write Op = iota
	// Sync is fsync and fdatasync of a file or a directory.
	Sync
	// Change is what changes a directory: create, mkdir, rename, link, unlink, rmdir.
	Change
)

// Fault says what happens to the calls of one kind below a path.
type Fault struct {
	Op    Op
	Paths string        // a pattern of path.Match for a path or a directory above it, relative to the disk; empty is all
	After int64         // so many bytes (Write) or calls (otherwise) pass before the fault begins; a write may be cut short
	Delay time.Duration // the call takes so much longer
	Stall bool          // the call takes until the fault is lifted
	Err   syscall.Errno // and then it fails with this, unless it is 0
}

// Injected is a fault in force.
type Injected struct {
	Fault
	in     *faults
	left   atomic.Int64 // of After
	hits   atomic.Int64
	met    chan struct{}
	lifted chan struct{}
	once   sync.Once
}

// Inject puts a fault in force. Several add up: delays first, then the first error.
func (d *Disk) Inject(f Fault) *Injected {
	i := &Injected{Fault: f, in: &d.faults, met: make(chan struct{}), lifted: make(chan struct{})}
	i.left.Store(f.After)
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.all = append(d.faults.all, i)
	return i
}

// Hits is how many calls the fault has met; a stalled call counts from its beginning.
func (i *Injected) Hits() int64 { return i.hits.Load() }

// Met is closed at the first hit.
func (i *Injected) Met() <-chan struct{} { return i.met }

// Lift ends the fault. Calls that it holds up go on, and fail if it has an error.
func (i *Injected) Lift() {
	i.in.mu.Lock()
	i.in.all = slices.DeleteFunc(i.in.all, func(other *Injected) bool { return other == i })
	i.in.mu.Unlock()
	i.once.Do(func() { close(i.lifted) })
}

func (i *Injected) matches(op Op, p string) bool {
	if i.Op != op || i.Paths == "" {
		return i.Op == op
	}
	for ; p != "." && p != "/"; p = path.Dir(p) {
		if ok, err := path.Match(i.Paths, p); err == nil && ok {
			return true
		}
	}
	return false
}

// pass takes a call of so much weight out of After and says how much of it is still good.
func (i *Injected) pass(weight int64) int64 {
	if left := i.left.Add(-weight); left < 0 {
		return max(0, left+weight)
	}
	return weight
}

func (i *Injected) wait() {
	if i.Stall {
		<-i.lifted
		return
	}
	t := time.NewTimer(i.Delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-i.lifted:
	}
}

type faults struct {
	mu  sync.Mutex
	all []*Injected
}

// meet lets a call run into the faults that are in force for it. It returns how much of its weight may be done, and the
// error for the rest.
func (f *faults) meet(op Op, p string, weight int64) (good int64, delayed bool, errno syscall.Errno) {
	f.mu.Lock()
	met := slices.DeleteFunc(slices.Clone(f.all), func(i *Injected) bool { return !i.matches(op, p) })
	f.mu.Unlock()
	good = weight
	for _, i := range met {
		passed := i.pass(weight)
		if passed == weight {
			continue
		}
		if i.hits.Add(1) == 1 {
			close(i.met)
		}
		if i.Stall || i.Delay > 0 {
			delayed = true
			i.wait()
		}
		if i.Err != 0 && errno == 0 {
			good, errno = passed, i.Err
		}
	}
	return good, delayed, errno
}

func (f *faults) liftAll() {
	f.mu.Lock()
	all := slices.Clone(f.all)
	f.mu.Unlock()
	for _, i := range all {
		i.Lift()
	}
}

// LiftAll ends every fault that is in force. The room stays as it is.
func (d *Disk) LiftAll() { d.faults.liftAll() }

// begin has a call meet its faults. If a part of it may be done, the disk is locked then, and the error is 0.
func (d *Disk) begin(op Op, p string, weight int64) (good int64, errno syscall.Errno) {
	good, delayed, errno := d.faults.meet(op, p, weight)
	d.mu.Lock()
	if delayed {
		d.stats.Delayed++
	}
	if d.off && errno == 0 {
		good, errno = 0, syscall.EIO
	}
	if errno != 0 {
		d.stats.Failed++
	}
	if errno == 0 || op == Write && good > 0 && !d.off {
		return good, 0
	}
	d.mu.Unlock()
	return 0, errno
}
