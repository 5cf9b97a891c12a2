package store

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Every file of a state is damaged, one bit at a time. The state is right then, or older by a flush of which nothing is
// known any more, or it is refused, or the process ends when the damage is read: it never holds anything else.
func TestAFlippedBitIsNoticed(t *testing.T) {
	t.Parallel()
	flips(t, 500)
}

// flips damages a state so many times, each file as often as the others.
func flips(t *testing.T, times int) {
	fs, contents := smallState(t)
	dir := testDir + "/g-00000001"
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(19, 20))
	outcomes := map[string]int{}
	for _, name := range names {
		info, err := fs.Stat(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for range min(int(info.Size())*8, 1+times/len(names)) {
			bit := rng.IntN(int(info.Size()) * 8)
			clone := fs.CrashClone(vfs.CrashCloneCfg{}) // everything is synced
			flip(t, clone, dir+"/"+name, bit)
			outcomes[openFlipped(t, clone, contents, name, bit)]++
		}
	}
	t.Logf("%d files: %v", len(names), outcomes)
	if outcomes["right"] == 0 || outcomes["refused"] == 0 {
		t.Error("the test has lost its point")
	}
}

// smallState makes a closed store of two flushes and says what it held after each.
func smallState(t *testing.T) (*vfs.MemFS, []map[string]string) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	f, err := tryOpen(t, fs)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(21, 22))
	m := model{{}}
	for range 2 {
		for range 6 {
			f.applyNext(&m, rng)
		}
		f.persist(f.Position().Index)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return fs, m
}

func flip(t *testing.T, fs vfs.FS, path string, bit int) {
	t.Helper()
	file, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	_, err = file.ReadAt(b, int64(bit/8))
	b[0] ^= 1 << (bit % 8)
	_, werr := file.WriteAt(b, int64(bit/8))
	if err := errors.Join(err, werr, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// openFlipped opens a damaged store, reads everything, and says how that went.
func openFlipped(t *testing.T, fs *vfs.MemFS, contents []map[string]string, name string, bit int) (outcome string) {
	t.Helper()
	var reported error
	var f *fixture
	defer func() {
		if p := recover(); p != nil {
			outcome = "ended"
			if f != nil {
				f.abandon()
			}
			if reported == nil {
				t.Errorf("%s, bit %d: it panics and has reported nothing: %v", name, bit, p)
			}
		}
	}()
	var err error
	if f, err = tryOpen(t, fs, func(o *Options) { o.Fatal = func(err error) { reported = err } }); err != nil {
		return "refused"
	}
	index, got := f.Position().Index, f.contents()
	err = f.Close()
	switch last := uint64(len(contents) - 1); {
	case err != nil || reported != nil:
		return "ended"
	case index == last && maps.Equal(got, contents[last]):
		return "right"
	case slices.Contains([]uint64{0, 6}, index) && maps.Equal(got, contents[index]):
		return "older"
	}
	t.Errorf("%s, bit %d: the state is at %d and holds %s", name, bit, index, show(got))
	return "wrong"
}

// abandon closes the engine under a store that ended in the middle of a read, which keeps an iterator open: its goroutines
// would look for the statistics of the damaged file for ever.
func (f *fixture) abandon() {
	defer func() { _ = recover() }()
	_ = f.gen.db.Close()
}
