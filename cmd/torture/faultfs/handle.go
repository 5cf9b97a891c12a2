//go:build linux

package faultfs

import (
	"context"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
)

// handle is an open file. Reading and asking go to the LoopbackFile.
type handle struct {
	*fs.LoopbackFile
	file *os.File
	ino  uint64
}

// open opens a file behind the mount. A file to be written can be read as well: its old bytes are kept.
func (d *Disk) open(path string, flags, mode uint32) (*handle, error) {
	how := os.O_RDONLY
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		how = os.O_RDWR
	}
	f, err := os.OpenFile(path, how|int(flags)&(syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW), os.FileMode(mode&0o7777))
	if err != nil {
		return nil, err
	}
	h := &handle{LoopbackFile: fs.NewLoopbackFileFromOS(f), file: f}
	info, err := f.Stat()
	if err == nil {
		h.ino = entryOf(info).ino
	}
	if err == nil && flags&syscall.O_TRUNC != 0 {
		err = d.cut(h, 0)
		if err == nil {
			err = f.Truncate(0)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return h, nil
}

// cut is called before a file gets another size.
func (d *Disk) cut(h *handle, size int64) error {
	now, err := sizeOf(h.file)
	if err != nil {
		return err
	}
	d.shrink(max(0, now-size))
	return d.keep(h.ino, h.file, size, now)
}

// PassthroughFd has the kernel not write past this file system.
func (h *handle) PassthroughFd() (int, bool) { return 0, false }

// Write implements fs.NodeWriter. A full disk, or a fault that begins in the middle, makes a short write first.
func (n *node) Write(_ context.Context, fh fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	good, errno := n.disk.begin(Write, n.Path(nil), int64(len(data)))
	if errno != 0 {
		return 0, errno
	}
	defer n.disk.mu.Unlock()
	h := fh.(*handle)
	size, err := sizeOf(h.file)
	if err != nil {
		return 0, fs.ToErrno(err)
	}
	end := n.disk.grow(max(size, off), off+good)
	if end <= off && len(data) > 0 {
		n.disk.stats.Failed++
		return 0, syscall.ENOSPC
	}
	if err := n.disk.keep(h.ino, h.file, min(size, off), end); err != nil { // a hole before off comes with it
		return 0, fs.ToErrno(err)
	}
	written, err := h.file.WriteAt(data[:end-off], off)
	n.disk.stats.Writes++
	n.disk.stats.Bytes += int64(written)
	return uint32(written), fs.ToErrno(err)
}

// Writev implements fs.NodeWritever: the library prefers Write wherever it can, and this is for where it can't.
func (n *node) Writev(ctx context.Context, fh fs.FileHandle, data [][]byte, off int64) (total uint32, errno syscall.Errno) {
	for _, part := range data {
		written, errno := n.Write(ctx, fh, part, off+int64(total))
		total += written
		if errno != 0 && total == 0 {
			return 0, errno
		}
		if int(written) < len(part) {
			break
		}
	}
	return total, fs.OK
}

// Allocate implements fs.NodeAllocater. It reserves; holes are not punched.
func (n *node) Allocate(ctx context.Context, fh fs.FileHandle, off, length uint64, mode uint32) syscall.Errno {
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	if mode&^keepSize != 0 {
		return syscall.ENOTSUP
	}
	if _, errno := n.disk.begin(Write, n.Path(nil), int64(length)); errno != 0 {
		return errno
	}
	defer n.disk.mu.Unlock()
	h := fh.(*handle)
	size, err := sizeOf(h.file)
	if err != nil {
		return fs.ToErrno(err)
	}
	end := int64(off + length)
	if mode == 0 && end > size {
		if n.disk.room != unlimited && n.disk.room < end-size {
			n.disk.stats.Failed++
			return syscall.ENOSPC
		}
		n.disk.grow(size, end)
		if err := n.disk.keep(h.ino, h.file, size, size); err != nil {
			return fs.ToErrno(err)
		}
	}
	return h.Allocate(ctx, off, length, mode)
}
