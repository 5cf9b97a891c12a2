package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

// model holds the contents after every index.
type model []map[string]string

// next returns the operations of one batch and notes what they lead to.
func (m *model) next(rng *rand.Rand) (sets map[string]string, from, to string) {
	state := maps.Clone((*m)[len(*m)-1])
	sets = map[string]string{}
	if rng.IntN(5) == 0 {
		n := rng.IntN(90)
		from, to = fmt.Sprintf("k%02d", n), fmt.Sprintf("k%02d", n+10)
		maps.DeleteFunc(state, func(k, _ string) bool { return k >= from && k < to })
	}
	for range 1 + rng.IntN(4) {
		sets[fmt.Sprintf("k%02d", rng.IntN(100))] = fmt.Sprint(len(*m), strings.Repeat("x", rng.IntN(4_000)))
	}
	maps.Copy(state, sets)
	*m = append(*m, state)
	return sets, from, to
}

// applyNext commits the next batch of the model.
func (f *fixture) applyNext(m *model, rng *rand.Rand) {
	f.t.Helper()
	sets, from, to := m.next(rng)
	b := f.NewBatch()
	if from != "" {
		b.DeleteRange([]byte(from), []byte(to))
	}
	for k, v := range sets {
		b.Set([]byte(k), []byte(v))
	}
	b.Commit(at(uint64(len(*m) - 1)))
}

// wantPrefix checks that the store holds exactly the state after its own index.
func (f *fixture) wantPrefix(m model, least uint64) {
	f.t.Helper()
	p := f.Position().Index
	if p < least || p >= uint64(len(m)) {
		f.t.Fatalf("the store is at %d, want %d to %d", p, least, len(m)-1)
	}
	f.wantState(p, m[p])
}

func TestACrashLeavesAnExactPrefix(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fs := vfs.NewCrashableMem()
	f := openStore(t, fs)
	m := model{{}}
	least := uint64(0)
	for i := range 400 {
		f.applyNext(&m, rng)
		if rng.IntN(40) == 0 {
			if err := f.flush(f.current()); err != nil {
				t.Fatal(err)
			}
			least = f.Position().Index
		}
		if i%16 != 0 {
			continue
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		after := openStore(t, clone)
		after.wantPrefix(m, least)
		after.applyAgain(m)
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// applyAgain brings the store from where it is to the end of the model, as raft's replay would.
func (f *fixture) applyAgain(m model) {
	f.t.Helper()
	for i := f.Position().Index + 1; i < uint64(len(m)); i++ {
		b := f.NewBatch()
		b.DeleteRange([]byte{1}, []byte{0xff})
		for k, v := range m[i] {
			b.Set([]byte(k), []byte(v))
		}
		b.Commit(at(i))
	}
	f.wantPrefix(m, uint64(len(m)-1))
}

// crashes clones the file system after every named step.
type crashes struct {
	fs     *vfs.MemFS
	rng    *rand.Rand
	clones map[string][]*vfs.MemFS
}

func (c *crashes) step(name string) {
	if c.fs == nil {
		return
	}
	for _, percent := range []int{0, 50, 100} {
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng}
		c.clones[name] = append(c.clones[name], c.fs.CrashClone(cfg))
	}
}

func TestACrashAfterEachStepLeavesTheOldOrTheNewState(t *testing.T) {
	from := openStore(t, vfs.NewMem())
	from.apply(20, "new", "state")
	_, stream := from.stream()

	fs := vfs.NewCrashableMem()
	c := &crashes{rng: rand.New(rand.NewPCG(3, 4)), clones: map[string][]*vfs.MemFS{}}
	f := openStore(t, fs, func(o *Options) { o.step = c.step })
	f.apply(1, "a", "1")
	c.fs = fs
	f.persist(1)
	f.stream()
	f.apply(2, "a", "2") // never flushed
	if err := f.install(at(20), stream); err != nil {
		t.Fatal(err)
	}
	c.fs = nil

	old := func(f *fixture) bool {
		return f.Position().Index == 1 && maps.Equal(f.contents(), map[string]string{"a": "1"})
	}
	flushed := func(f *fixture) bool { // the checkpoint's flush may have been followed by the next entry
		return old(f) || f.Position().Index == 2 && maps.Equal(f.contents(), map[string]string{"a": "2"})
	}
	fresh := func(f *fixture) bool {
		return f.Position().Index == 20 && f.Installed() == Mark{20, 1} && maps.Equal(f.contents(), map[string]string{"new": "state"})
	}
	allowed := map[string][]func(*fixture) bool{
		"flush": {old}, "checkpoint": {old}, "sink close": {flushed}, "rename": {flushed, fresh},
		"parent sync": {fresh}, "old generation removed": {fresh},
	}
	for name, want := range allowed {
		if len(c.clones[name]) == 0 {
			t.Errorf("no crash after %q", name)
		}
		for i, clone := range c.clones[name] {
			after := openStore(t, clone)
			ok := false
			for _, w := range want {
				ok = ok || w(after)
			}
			if !ok {
				t.Errorf("crash %d after %q: at %d with %s", i, name, after.Position().Index, show(after.contents()))
			}
			if got := len(after.names()); got != 2 {
				t.Errorf("crash %d after %q: the directory holds %v", i, name, after.names())
			}
		}
	}
}

// persist takes a snapshot as raft does.
func (f *fixture) persist(index uint64) {
	f.t.Helper()
	snapshot, err := f.Snapshot()
	if err != nil {
		f.t.Fatal(err)
	}
	defer snapshot.Release()
	sk, err := f.Snapshots().Create(raft.SnapshotVersionMax, index, 1, members("a", "b"), 1, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := errors.Join(snapshot.Persist(sk), sk.Close()); err != nil {
		f.t.Fatal(err)
	}
}

// A first start may be cut short anywhere.
func TestACrashInTheFirstStartIsRepaired(t *testing.T) {
	fs := vfs.NewCrashableMem()
	c := &crashes{fs: fs, rng: rand.New(rand.NewPCG(5, 6)), clones: map[string][]*vfs.MemFS{}}
	openStore(t, fs, func(o *Options) { o.step = c.step })
	c.fs = nil
	for _, name := range []string{"rename", "parent sync"} {
		for _, clone := range c.clones[name] {
			after := openStore(t, clone)
			after.wantState(0, map[string]string{})
			after.apply(1, "a", "1")
		}
	}
}
