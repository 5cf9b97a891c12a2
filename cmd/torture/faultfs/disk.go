//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Options choose what the disk promises.
type Options struct {
	Journal bool // any sync of a file or directory keeps all names, see the package comment
}

// Disk is one mounted file system. All methods may be called at any time and from any goroutine, but for Crash and Close.
type Disk struct {
	dir     string // holds "mnt" (what the process sees), "live" (the files behind it), "limbo" (what a crash would bring back)
	options Options
	server  *fuse.Server
	faults  faults

	// mu makes a change and what is kept of the time before it one step. It is never held while a fault delays a call.
	mu    sync.Mutex
	files map[uint64]*content // by inode: files with unsynced bytes
	dirs  map[uint64]names    // by inode: directories with unsynced names
	moves []move              // renames between directories of which neither is synced
	room  int64               // bytes that may still be written, or unlimited
	off   bool                // the power has gone
	stats Stats
}

// Stats count what happened since the disk was opened. They are the evidence that a fault took effect.
type Stats struct {
	Writes, Syncs, Changes int64 // calls that succeeded; Changes are those of directories
	Bytes                  int64 // written
	Failed, Delayed        int64 // calls that a fault or a full disk failed; that a fault held up
}

// Open mounts a disk whose files, and whose mount point, are below dir.
func Open(dir string, options Options) (*Disk, error) {
	d := &Disk{dir: dir, options: options, room: unlimited}
	for _, name := range []string{"mnt", "live"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	if err := d.forget(); err != nil {
		return nil, err
	}
	return d, d.mount()
}

// Path is the directory that the process under test uses.
func (d *Disk) Path() string { return filepath.Join(d.dir, "mnt") }

// Behind is the directory with the same files, behind the faults. Change it only while no process uses the disk, and
// between Unmount and Mount.
func (d *Disk) Behind() string { return filepath.Join(d.dir, "live") }

func (d *Disk) limbo() string { return filepath.Join(d.dir, "limbo") }

// Stats is what happened until now.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// Close lifts all faults and unmounts. It fails if a process still uses the disk.
func (d *Disk) Close() error {
	d.faults.liftAll()
	return d.Unmount()
}

// Unmount takes the disk away, so that Behind may be changed. It fails if a process still uses it.
func (d *Disk) Unmount() error {
	if d.server == nil {
		return nil
	}
	if err := d.server.Unmount(); err != nil {
		return fmt.Errorf("unmount %s: %w", d.Path(), err)
	}
	d.server = nil
	return nil
}

// Mount is the way back from Unmount. What is there now counts as synced.
func (d *Disk) Mount() error {
	if d.server != nil {
		return errors.New("the disk is mounted already")
	}
	if err := d.forget(); err != nil {
		return err
	}
	return d.mount()
}

// forget takes what is on the disk as synced.
func (d *Disk) forget() error {
	d.files, d.dirs, d.moves = map[uint64]*content{}, map[uint64]names{}, nil
	if err := os.RemoveAll(d.limbo()); err != nil {
		return err
	}
	return os.Mkdir(d.limbo(), 0o700)
}

func (d *Disk) mount() error {
	behind, err := fs.NewLoopbackRoot(d.Behind())
	if err != nil {
		return err
	}
	// Only processes on this mount change the files, so what the kernel remembers stays true.
	remember := time.Second
	d.off = false
	d.server, err = fs.Mount(d.Path(), &node{LoopbackNode: behind.(*fs.LoopbackNode), disk: d}, &fs.Options{
		EntryTimeout: &remember,
		AttrTimeout:  &remember,
		MountOptions: fuse.MountOptions{
			DirectMountStrict: true, FsName: "faultfs", Name: "faultfs", MaxWrite: 1 << 20, Logger: log.New(os.Stderr, "faultfs: ", 0),
			// Else the kernel drops pages of a file whose times change, and may fill one with the old bytes while a write is under way.
			ExplicitDataCacheControl: true,
		},
	})
	if err != nil {
		return fmt.Errorf("mount %s: %w", d.Path(), err)
	}
	return nil
}
