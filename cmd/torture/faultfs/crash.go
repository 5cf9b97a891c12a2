//go:build linux

package faultfs

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Loss says which of the unsynced changes a loss of power takes. The zero value takes them all.
type Loss struct {
	KeepNames bool   // the names had all reached the disk; the bytes of the files had not
	Tear      bool   // a part of the unsynced pages had reached the disk, and a part of each
	Seed      uint64 // which part
}

// Lost is what Crash took: evidence that there was something unsynced.
type Lost struct {
	Files, Unsynced int64 // files with unsynced bytes, and how many bytes they had, in whole pages
	Bytes           int64 // of those that were put back or cut off: fewer if torn
	Names           int64 // names that were put back
}

// PowerOff is the moment at which the power goes: from now on nothing is written and nothing is synced, and every call that
// would fails, also those that a fault holds up. It lifts all faults. Kill the process then, wait for its end, and Crash.
// Without PowerOff, a call that the process is killed in is still carried out.
func (d *Disk) PowerOff() {
	d.mu.Lock()
	d.off = true
	d.mu.Unlock()
	d.faults.liftAll()
}

// Crash takes what was not synced, as a loss of power would, and mounts the disk again. The process must have ended: Crash
// fails if anybody still uses the disk.
func (d *Disk) Crash(loss Loss) (Lost, error) {
	if err := d.Unmount(); err != nil {
		return Lost{}, err
	}
	lost, err := d.takeBack(loss)
	if err != nil {
		return lost, fmt.Errorf("take unsynced changes back: %w", err)
	}
	return lost, d.Mount()
}

func (d *Disk) takeBack(loss Loss) (lost Lost, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	where, err := d.find()
	if err != nil {
		return lost, err
	}
	var chance *rand.Rand
	for ino, c := range d.files { // each file by itself: the order of a map must not matter
		if loss.Tear {
			chance = rand.New(rand.NewPCG(loss.Seed, uint64(c.size)^uint64(len(c.pages))<<32))
		}
		path, ok := where[ino]
		if !ok {
			continue // created and deleted since
		}
		bytes, err := c.restore(path, chance)
		if err != nil {
			return lost, err
		}
		if len(c.pages) > 0 {
			lost.Files++
		}
		lost.Unsynced += pageBytes * int64(len(c.pages))
		lost.Bytes += bytes
	}
	if loss.KeepNames {
		return lost, nil
	}
	return lost, d.rebuild(where, &lost)
}

// find is where everything is that there is, by inode.
func (d *Disk) find() (map[uint64]string, error) {
	where := map[uint64]string{}
	for _, top := range []string{d.limbo(), d.Behind()} {
		err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err == nil {
				where[entryOf(info).ino] = path
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return where, nil
}

// rebuild makes the tree of the synced names beside the present one, and puts it in its place.
func (d *Disk) rebuild(where map[uint64]string, lost *Lost) error {
	next, old := filepath.Join(d.dir, "next"), filepath.Join(d.dir, "old")
	top, err := inodeOf(d.Behind())
	if err != nil {
		return err
	}
	if err := d.copyNames(next, entry{ino: top, mode: fs.ModeDir | 0o700}, where, lost); err != nil {
		return err
	}
	if err := os.Rename(d.Behind(), old); err != nil {
		return err
	}
	if err := os.Rename(next, d.Behind()); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

func (d *Disk) copyNames(to string, dir entry, where map[uint64]string, lost *Lost) error {
	if err := os.Mkdir(to, dir.mode.Perm()); err != nil {
		return err
	}
	now, err := readNames(where[dir.ino])
	if err != nil {
		return err
	}
	synced, changed := d.dirs[dir.ino]
	if !changed {
		synced = now
	}
	for name, e := range now {
		if synced[name].ino != e.ino {
			lost.Names++
		}
	}
	for name, e := range synced {
		if _, ok := now[name]; !ok {
			lost.Names++
		}
		path := filepath.Join(to, name)
		if e.mode.IsDir() {
			err = d.copyNames(path, e, where, lost)
		} else {
			err = os.Link(where[e.ino], path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
