//go:build linux

package faultfs

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const unlimited = -1

// SetRoom says how many bytes files may still grow before the disk is full (ENOSPC); what is deleted or cut off gives room
// back. Overwriting needs none. A negative number is no limit.
func (d *Disk) SetRoom(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = max(bytes, unlimited)
}

// Room is what is left, negative without a limit.
func (d *Disk) Room() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room
}

// grow takes room for new bytes of a file, and returns how far it may grow: less than end if the disk is full.
func (d *Disk) grow(from, end int64) int64 {
	if d.room == unlimited || end <= from {
		return end
	}
	end = min(end, from+d.room)
	d.room -= end - from
	return end
}

// shrink gives room back.
func (d *Disk) shrink(bytes int64) {
	if d.room != unlimited {
		d.room += bytes
	}
}

// Statfs says how much room there is.
func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	if errno := n.LoopbackNode.Statfs(ctx, out); errno != fs.OK {
		return errno
	}
	if room := n.disk.Room(); room != unlimited {
		out.Bavail = uint64(room) / uint64(out.Bsize)
		out.Bfree = out.Bavail
	}
	return fs.OK
}
