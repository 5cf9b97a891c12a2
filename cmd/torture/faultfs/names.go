//go:build linux

package faultfs

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// entry is what a name in a directory stands for.
type entry struct {
	ino  uint64
	mode os.FileMode
}

// names is a directory as it was when it was last synced.
type names map[string]entry

// move is a rename between two directories.
type move struct {
	from, to         uint64
	oldName, newName string
	what             entry
}

// keepNames is called before a directory changes. It returns its inode.
func (d *Disk) keepNames(dir string) (uint64, error) {
	ino, err := inodeOf(dir)
	if err != nil || d.dirs[ino] != nil {
		return ino, err
	}
	d.dirs[ino], err = readNames(dir)
	return ino, err
}

// bury is called before a name goes away. What a crash would bring back stays in limbo, also so that nothing new gets its
// inode. It reports whether it took the directory away already.
func (d *Disk) bury(path string, info os.FileInfo) (taken bool, err error) {
	st := info.Sys().(*syscall.Stat_t)
	grave := filepath.Join(d.limbo(), strconv.FormatUint(st.Ino, 10))
	_, gone := os.Lstat(grave)
	if links := st.Nlink; !info.IsDir() && (links == 1 || links == 2 && gone == nil) {
		d.shrink(info.Size())
	}
	if gone == nil || !d.isNamed(st.Ino) {
		return false, nil
	}
	if info.IsDir() {
		return true, os.Rename(path, grave)
	}
	return false, os.Link(path, grave)
}

func (d *Disk) isNamed(ino uint64) bool {
	for _, dir := range d.dirs {
		for _, e := range dir {
			if e.ino == ino {
				return true
			}
		}
	}
	return false
}

// syncNames makes the names of a directory survive a crash.
func (d *Disk) syncNames(ino uint64) error {
	was := d.dirs[ino]
	delete(d.dirs, ino)
	d.moves = slices.DeleteFunc(d.moves, func(m move) bool {
		if m.from == ino && d.dirs[m.to] != nil && was[m.oldName].ino == m.what.ino {
			d.dirs[m.to][m.newName] = m.what
		}
		if m.to == ino && d.dirs[m.from][m.oldName].ino == m.what.ino {
			delete(d.dirs[m.from], m.oldName)
		}
		return m.from == ino || m.to == ino
	})
	return d.emptyLimbo()
}

// syncAllNames is what a commit of the journal does.
func (d *Disk) syncAllNames() error {
	clear(d.dirs)
	d.moves = nil
	return d.emptyLimbo()
}

// emptyLimbo deletes what a crash would no longer bring back. A directory that goes takes what it named with it.
func (d *Disk) emptyLimbo() error {
	for again := true; again; {
		again = false
		graves, err := os.ReadDir(d.limbo())
		if err != nil {
			return err
		}
		for _, grave := range graves {
			ino, err := strconv.ParseUint(grave.Name(), 10, 64)
			if err != nil {
				return err
			}
			if d.isNamed(ino) {
				continue
			}
			if err := os.Remove(filepath.Join(d.limbo(), grave.Name())); err != nil {
				return err
			}
			if grave.IsDir() {
				delete(d.dirs, ino)
				again = true
			}
		}
	}
	return nil
}

func readNames(dir string) (names, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	n := names{}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		n[e.Name()] = entryOf(info)
	}
	return n, nil
}

func entryOf(info os.FileInfo) entry {
	return entry{ino: info.Sys().(*syscall.Stat_t).Ino, mode: info.Mode()}
}

func inodeOf(path string) (uint64, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	return entryOf(info).ino, nil
}
