package store

import (
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// powerCuts clones a disk as a loss of power would leave it before each call that changes something there, with the calls
// of the engine's own goroutines, and notes what the state has to hold then.
type powerCuts struct {
	fs  *vfs.MemFS
	rng *rand.Rand

	mu     sync.Mutex // of what follows; the engine works on several goroutines
	least  uint64     // what is there already
	model  map[uint64]map[string]string
	clones []cut
}

// cut is one disk. The state on it may be at any index of the model from least on.
type cut struct {
	fs    *vfs.MemFS
	least uint64
	op    string
}

func (p *powerCuts) String() string { return "power cuts" }

// MaybeError makes no error.
func (p *powerCuts) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, percent := range []int{0, 50, 100} {
		clone := p.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: p.rng})
		p.clones = append(p.clones, cut{clone, p.least, op.Path})
	}
	return nil
}

// holds notes that everything up to index is on the disk.
func (p *powerCuts) holds(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.least = index
}

// may notes a state before it is made.
func (p *powerCuts) may(index uint64, contents map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.model[index] = contents
}

// Power is lost before every call of a life with snapshots, a state that leaves and one that arrives.
func TestACrashAtAnyCallLeavesAnExactPrefix(t *testing.T) {
	t.Parallel()
	from := openStore(t, vfs.NewMem())
	from.apply(1_020, "new", "state")
	_, stream := from.stream()

	p := &powerCuts{
		fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(7, 8)), model: map[uint64]map[string]string{0: {}},
	}
	f, err := tryOpen(t, errorfs.Wrap(p.fs, p))
	if err != nil {
		t.Fatal(err)
	}
	m, random := model{{}}, rand.New(rand.NewPCG(9, 10)) // p's own serves the engine's goroutines
	apply := func(times int) {
		for range times {
			sets, start, end := m.next(random)
			p.may(uint64(len(m)-1), m[len(m)-1])
			b := f.NewBatch()
			if start != "" {
				b.DeleteRange([]byte(start), []byte(end))
			}
			for k, v := range sets {
				b.Set([]byte(k), []byte(v))
			}
			b.Commit(at(uint64(len(m) - 1)))
		}
	}
	for range 4 {
		apply(20)
		f.persist(f.Position().Index)
		p.holds(f.Position().Index)
	}
	apply(5)
	f.stream()
	p.holds(f.Position().Index)
	apply(5)
	p.may(1_020, map[string]string{"new": "state"})
	if err := f.install(at(1_020), stream); err != nil {
		t.Fatal(err)
	}
	p.holds(1_020)
	p.may(1_021, map[string]string{"new": "state", "a": "1"})
	f.apply(1_021, "a", "1")
	f.persist(1_021)
	p.holds(1_021)
	p.may(1_022, map[string]string{"new": "state", "a": "2"})
	f.apply(1_022, "a", "2")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p.check(t)
}

// check opens every disk, and some of them once more after a second crash in the middle of that.
func (p *powerCuts) check(t *testing.T) {
	t.Helper()
	if len(p.clones) < 500 {
		t.Errorf("%d disks are too few: the test has lost its point", len(p.clones))
	}
	installed := 0
	for i, c := range p.clones {
		wrapped := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: p.rng}) // of one that was just started
		for round, fs := range []*vfs.MemFS{c.fs, wrapped} {
			if round == 1 && i%10 != 0 {
				continue
			}
			f, err := tryOpen(t, fs)
			if err != nil {
				t.Errorf("power cut %d, before a call for %s: %v", i, c.op, err)
				continue
			}
			index := f.Position().Index
			want, ok := p.model[index]
			if !ok || index < c.least || !maps.Equal(f.contents(), want) {
				t.Errorf("power cut %d, before a call for %s: the state is at %d and holds %s; it was at %d at least, with %s",
					i, c.op, index, show(f.contents()), c.least, show(want))
			}
			if f.Installed().Index > 0 {
				installed++
			}
			if names := f.names(); len(names) != 2 {
				t.Errorf("power cut %d, before a call for %s: the directory holds %v", i, c.op, names)
			}
			f.apply(2_000, "more", "x")
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d disks, %d of them with the installed state", len(p.clones), installed)
	if installed == 0 || installed == len(p.clones) {
		t.Error("the install was not cut: the test has lost its point")
	}
}
