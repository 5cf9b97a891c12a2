//go:build linux

package faultfs

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file or directory of the mounted tree. What changes nothing goes to the LoopbackNode.
type node struct {
	*fs.LoopbackNode
	disk *Disk
}

// WrapChild has every node of the tree be one of ours.
func (n *node) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{LoopbackNode: ops.(*fs.LoopbackNode), disk: n.disk}
}

// behind is the path of the node, or of a name in it, behind the mount.
func (n *node) behind(name string) string {
	return filepath.Join(n.disk.Behind(), n.Path(nil), name)
}

// change does what changes the names of a directory: it meets the faults, keeps how the directory was, and then does it.
func (n *node) change(name string, do func(dir uint64, path string) syscall.Errno) syscall.Errno {
	if _, errno := n.disk.begin(Change, filepath.Join(n.Path(nil), name), 1); errno != 0 {
		return errno
	}
	defer n.disk.mu.Unlock()
	dir, err := n.disk.keepNames(n.behind(""))
	if err != nil {
		return fs.ToErrno(err)
	}
	errno := do(dir, n.behind(name))
	if errno == 0 {
		n.disk.stats.Changes++
	}
	return errno
}

// Mkdir implements fs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.change(name, func(_ uint64, path string) syscall.Errno {
		if child, errno = n.LoopbackNode.Mkdir(ctx, name, mode, out); errno != 0 {
			return errno
		}
		ino, err := inodeOf(path)
		delete(n.disk.files, ino) // of a file that is gone and had this inode
		return fs.ToErrno(err)
	})
	return child, errno
}

// Link implements fs.NodeLinker.
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.change(name, func(uint64, string) syscall.Errno {
		child, errno = n.LoopbackNode.Link(ctx, target, name, out)
		return errno
	})
	return child, errno
}

// Symlink implements fs.NodeSymlinker.
func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.change(name, func(uint64, string) syscall.Errno {
		child, errno = n.LoopbackNode.Symlink(ctx, target, name, out)
		return errno
	})
	return child, errno
}

// Mknod refuses: a node has no use for pipes and devices.
func (n *node) Mknod(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, syscall.ENOTSUP
}

// Tmpfile refuses: the caller makes a file with a name then.
func (n *node) Tmpfile(context.Context, uint32, uint32, *fuse.CreateOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, syscall.ENOTSUP
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	return n.change(name, func(_ uint64, path string) syscall.Errno {
		info, err := os.Lstat(path)
		if err == nil {
			_, err = n.disk.bury(path, info)
		}
		if err == nil {
			err = syscall.Unlink(path)
		}
		return fs.ToErrno(err)
	})
}

// Rmdir implements fs.NodeRmdirer.
func (n *node) Rmdir(_ context.Context, name string) syscall.Errno {
	return n.change(name, func(_ uint64, path string) syscall.Errno {
		return fs.ToErrno(n.disk.removeDir(path))
	})
}

func (d *Disk) removeDir(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	inside, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	if len(inside) > 0 {
		return syscall.ENOTEMPTY
	}
	if taken, err := d.bury(path, info); taken || err != nil {
		return err
	}
	delete(d.dirs, entryOf(info).ino)
	return syscall.Rmdir(path)
}

// Rename implements fs.NodeRenamer. It knows no flags.
func (n *node) Rename(_ context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*node)
	if !ok || flags != 0 {
		return syscall.EINVAL
	}
	return n.change(name, func(from uint64, path string) syscall.Errno {
		newDir, err := n.disk.keepNames(to.behind(""))
		if err != nil {
			return fs.ToErrno(err)
		}
		return fs.ToErrno(n.disk.rename(path, to.behind(newName), move{from: from, to: newDir, oldName: name, newName: newName}))
	})
}

func (d *Disk) rename(oldPath, newPath string, m move) error {
	what, err := os.Lstat(oldPath)
	if err != nil {
		return err
	}
	m.what = entryOf(what)
	replaced, err := os.Lstat(newPath)
	switch {
	case err != nil: // nothing is there
	case os.SameFile(what, replaced): // rename does nothing then
		return nil
	case replaced.IsDir() && what.IsDir():
		err = d.removeDir(newPath)
	case replaced.IsDir():
		return syscall.EISDIR
	case what.IsDir():
		return syscall.ENOTDIR
	default:
		_, err = d.bury(newPath, replaced)
	}
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := syscall.Rename(oldPath, newPath); err != nil {
		return err
	}
	if m.from != m.to {
		d.moves = append(d.moves, m)
	}
	return nil
}

// Create implements fs.NodeCreater.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (child *fs.Inode, fh fs.FileHandle, _ uint32, errno syscall.Errno) {
	errno = n.change(name, func(_ uint64, path string) syscall.Errno {
		_, missing := os.Lstat(path)
		h, err := n.disk.open(path, flags|syscall.O_CREAT, mode)
		if err != nil {
			return fs.ToErrno(err)
		}
		if missing != nil {
			n.disk.files[h.ino] = &content{pages: map[int64][]byte{}}
		}
		fh = h
		if child, errno = n.Lookup(ctx, name, out); errno != 0 {
			h.Release(ctx)
		}
		return errno
	})
	return child, fh, 0, errno
}

// Open implements fs.NodeOpener.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	h, err := n.disk.open(n.behind(""), flags, 0)
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	return h, 0, fs.OK
}

// Setattr implements fs.NodeSetattrer: only a new size is a write.
func (n *node) Setattr(ctx context.Context, fh fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	size, ok := in.GetSize()
	if !ok {
		return n.LoopbackNode.Setattr(ctx, fh, in, out)
	}
	if _, errno := n.disk.begin(Write, n.Path(nil), 1); errno != 0 {
		return errno
	}
	defer n.disk.mu.Unlock()
	h, ok := fh.(*handle)
	if !ok {
		var err error
		if h, err = n.disk.open(n.behind(""), syscall.O_RDWR, 0); err != nil {
			return fs.ToErrno(err)
		}
		defer h.Release(ctx)
	}
	if err := n.disk.cut(h, int64(size)); err != nil {
		return fs.ToErrno(err)
	}
	return n.LoopbackNode.Setattr(ctx, fh, in, out)
}

// Fsync implements fs.NodeFsyncer, for files.
func (n *node) Fsync(_ context.Context, fh fs.FileHandle, _ uint32) syscall.Errno {
	return n.sync(func() error {
		delete(n.disk.files, fh.(*handle).ino)
		return nil
	})
}

// Fsyncdir implements fs.FileFsyncdirer.
func (h *dirHandle) Fsyncdir(context.Context, uint32) syscall.Errno {
	return h.node.sync(func() error {
		ino, err := inodeOf(h.node.behind(""))
		if err != nil {
			return err
		}
		return h.node.disk.syncNames(ino)
	})
}

func (n *node) sync(do func() error) syscall.Errno {
	if _, errno := n.disk.begin(Sync, n.Path(nil), 1); errno != 0 {
		return errno
	}
	defer n.disk.mu.Unlock()
	n.disk.stats.Syncs++
	err := do()
	if err == nil && n.disk.options.Journal {
		err = n.disk.syncAllNames()
	}
	return fs.ToErrno(err)
}

// dirStream is what the LoopbackNode has for an open directory.
type dirStream interface {
	fs.FileReaddirenter
	fs.FileSeekdirer
	fs.FileReleasedirer
}

// dirHandle is an open directory.
type dirHandle struct {
	dirStream
	node *node
}

// OpendirHandle implements fs.NodeOpendirHandler.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	fh, fuseFlags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &dirHandle{dirStream: fh.(dirStream), node: n}, fuseFlags, 0
}
