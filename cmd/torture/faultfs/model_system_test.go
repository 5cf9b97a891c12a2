//go:build linux && system

package faultfs

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
)

// The model is a disk in a few lines: what everything is now, and what it was when it was last synced.
type modelFile struct{ now, synced []byte }

type modelDir struct{ now, synced map[string]any } // *modelFile or *modelDir

type modelMove struct {
	from, to         *modelDir
	oldName, newName string
	what             any
}

type model struct {
	t      *testing.T
	rng    *rand.Rand
	mount  string
	dirs   map[string]*modelDir // by path
	moves  []modelMove
	writes int
}

func newModel(t *testing.T, mount string, seed uint64) *model {
	return &model{t: t, rng: rand.New(rand.NewPCG(seed, 0)), mount: mount, dirs: map[string]*modelDir{".": newModelDir()}}
}

func newModelDir() *modelDir { return &modelDir{now: map[string]any{}, synced: map[string]any{}} }

func (m *model) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func pick[T any](m *model, all []T) T { return all[m.rng.IntN(len(all))] }

func (m *model) someDir() (string, *modelDir) {
	p := pick(m, slices.Sorted(maps.Keys(m.dirs)))
	return p, m.dirs[p]
}

// someFile is a file and where it is, if the directory that was picked has one.
func (m *model) someFile() (dir string, d *modelDir, name string, f *modelFile) {
	dir, d = m.someDir()
	for _, name := range slices.Sorted(maps.Keys(d.now)) {
		if f, ok := d.now[name].(*modelFile); ok && (m.rng.IntN(3) > 0) {
			return dir, d, name, f
		}
	}
	return dir, d, "", nil
}

// newName is a name that stands for nothing or for a file.
func (m *model) newName(d *modelDir) string {
	for {
		name := fmt.Sprint("f", m.rng.IntN(4))
		if _, isDir := d.now[name].(*modelDir); !isDir {
			return name
		}
	}
}

func (m *model) path(elements ...string) string {
	return filepath.Join(append([]string{m.mount}, elements...)...)
}

// step does one thing to the disk and to the model.
func (m *model) step() {
	dir, d, name, f := m.someFile()
	switch kind := m.rng.IntN(20); {
	case kind < 2 && len(m.dirs) < 6:
		p := path.Join(dir, fmt.Sprint("d", m.rng.IntN(3)))
		if m.dirs[p] == nil && d.now[path.Base(p)] == nil {
			m.ok(os.Mkdir(m.path(p), 0o700))
			m.dirs[p] = newModelDir()
			d.now[path.Base(p)] = m.dirs[p]
		}
	case kind < 3 && dir != "." && len(d.now) == 0:
		m.ok(os.Remove(m.path(dir)))
		delete(m.dirs[path.Dir(dir)].now, path.Base(dir))
		delete(m.dirs, dir)
	case kind < 5:
		name = m.newName(d)
		old, _ := d.now[name].(*modelFile)
		if old == nil {
			old = &modelFile{}
		}
		body := m.body(9000)
		m.ok(os.WriteFile(m.path(dir, name), body, 0o600))
		old.now = body
		d.now[name] = old
	case kind < 7:
		m.ok(syncPath(m.path(dir)))
		m.syncDir(d)
	case f == nil:
	case kind < 10:
		m.ok(syncPath(m.path(dir, name)))
		f.synced = slices.Clone(f.now)
	case kind < 14:
		m.write(m.path(dir, name), f)
	case kind < 15:
		size := m.rng.IntN(12000)
		m.ok(os.Truncate(m.path(dir, name), int64(size)))
		f.now = append(slices.Clone(f.now), make([]byte, max(0, size-len(f.now)))...)[:size]
	case kind < 16:
		m.ok(os.Remove(m.path(dir, name)))
		delete(d.now, name)
	case kind < 17:
		to, td := m.someDir()
		newName := m.newName(td)
		if td.now[newName] == nil {
			m.ok(os.Link(m.path(dir, name), m.path(to, newName)))
			td.now[newName] = f
		}
	default:
		to, td := m.someDir()
		newName := m.newName(td)
		if td.now[newName] == any(f) {
			return // one file under two names: rename does nothing
		}
		m.ok(os.Rename(m.path(dir, name), m.path(to, newName)))
		delete(d.now, name)
		td.now[newName] = f
		if d != td {
			m.moves = append(m.moves, modelMove{d, td, name, newName, f})
		}
	}
}

func (m *model) body(limit int) []byte {
	m.writes++
	b := make([]byte, m.rng.IntN(limit))
	for i := range b {
		b[i] = byte(m.writes)
	}
	return b
}

func (m *model) write(p string, f *modelFile) {
	off, body := m.rng.IntN(len(f.now)+5000), m.body(5000)
	file, err := os.OpenFile(p, os.O_WRONLY, 0)
	m.ok(err)
	_, err = file.WriteAt(body, int64(off))
	m.ok(err)
	m.ok(file.Close())
	if len(body) > 0 {
		f.now = append(slices.Clone(f.now), make([]byte, max(0, off+len(body)-len(f.now)))...)
		copy(f.now[off:], body)
	}
}

func (m *model) syncDir(d *modelDir) {
	was := d.synced
	d.synced = maps.Clone(d.now)
	m.moves = slices.DeleteFunc(m.moves, func(mv modelMove) bool {
		if mv.from == d && was[mv.oldName] == mv.what {
			mv.to.synced[mv.newName] = mv.what
		}
		if mv.to == d && mv.from.synced[mv.oldName] == mv.what {
			delete(mv.from.synced, mv.oldName)
		}
		return mv.from == d || mv.to == d
	})
}

// crash is what the model is after a loss of power.
func (m *model) crash(keepNames bool) {
	root := m.dirs["."]
	m.dirs, m.moves = map[string]*modelDir{}, nil
	var walk func(p string, d *modelDir)
	walk = func(p string, d *modelDir) {
		m.dirs[p] = d
		if keepNames {
			d.synced = maps.Clone(d.now)
		}
		d.now = maps.Clone(d.synced)
		for name, what := range d.now {
			switch what := what.(type) {
			case *modelFile:
				what.now = slices.Clone(what.synced)
			case *modelDir:
				walk(path.Join(p, name), what)
			}
		}
	}
	walk(".", root)
}

// content is everything on the disk, as the model has it.
func (m *model) content() map[string]string {
	all := map[string]string{}
	for p, d := range m.dirs {
		all[p] = "directory"
		for name, what := range d.now {
			if f, ok := what.(*modelFile); ok {
				all[path.Join(p, name)] = string(f.now)
			}
		}
	}
	return all
}

func syncPath(p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

func contentOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, p)
		if err != nil || e.IsDir() {
			all[relative] = "directory"
			return err
		}
		b, err := os.ReadFile(p)
		all[relative] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSystemCrashLeavesWhatTheModelSays(t *testing.T) {
	var lost Lost
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			d := openDisk(t, Options{})
			m := newModel(t, d.Path(), seed)
			for round := range 4 {
				for range 40 {
					m.step()
				}
				if got := contentOf(t, d.Path()); !maps.Equal(got, m.content()) {
					t.Fatalf("round %d: %s", round, difference(got, m.content()))
				}
				loss := Loss{KeepNames: m.rng.IntN(3) == 0}
				l, err := d.Crash(loss)
				m.ok(err)
				lost.Bytes, lost.Names = lost.Bytes+l.Bytes, lost.Names+l.Names
				m.crash(loss.KeepNames)
				if got := contentOf(t, d.Path()); !maps.Equal(got, m.content()) {
					t.Fatalf("round %d, after the crash (%+v): %s", round, loss, difference(got, m.content()))
				}
			}
		})
	}
	if lost.Bytes == 0 || lost.Names == 0 {
		t.Errorf("all crashes lost %+v: nothing was tested", lost)
	}
}

func difference(got, want map[string]string) string {
	var lines string
	for _, p := range slices.Sorted(maps.Keys(got)) {
		if w, ok := want[p]; !ok {
			lines += fmt.Sprintf("\n%s is there and should not be", p)
		} else if w != got[p] {
			lines += fmt.Sprintf("\n%s has %d bytes, want %d, or other ones", p, len(got[p]), len(w))
		}
	}
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[p]; !ok {
			lines += fmt.Sprintf("\n%s is missing", p)
		}
	}
	return lines
}
