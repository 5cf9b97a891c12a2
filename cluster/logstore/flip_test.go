package logstore

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// flips changes one bit at a time of a log's files, at positions that next chooses until it says no. The log is right
// then, or it is refused: it never holds less than was written, never something else. Only the last write may be missing:
// what was damaged in it can't be told from what was cut short.
func flips(t *testing.T, kind Kind, next func(name string, size int) (at int, ok bool)) {
	files, models := short(t, kind, 3, 1, 7, 5, 4, 2)
	whole, cut := models[len(models)-1], models[len(models)-2]
	outcomes := map[string]int{}
	last := files[len(files)-1]
	for _, name := range slices.Sorted(maps.Keys(last)) {
		content := slices.Clone(last[name])
		for {
			at, ok := next(name, len(content))
			if !ok {
				break
			}
			bit := byte(1) << (at % 8)
			content[at/8] ^= bit
			got, err := reconciled(t, kind, with(last, name, content), whole.entries[9].Index)
			content[at/8] ^= bit
			switch {
			case err == nil && got == whole.String():
				outcomes["unharmed"]++
			case err == nil && got == cut.String():
				outcomes["without the last write"]++
			case err == nil && kind == WAL && suffix(whole.String(), got):
				outcomes["without some of the oldest entries"]++
			case err == nil:
				t.Errorf("%s, bit %d of byte %d: the log holds\n%s and held\n%s", name, at%8, at/8, got, whole)
			case errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), "do not fit"):
				outcomes["refused"]++
			default:
				t.Errorf("%s, bit %d of byte %d: %v", name, at%8, at/8, err)
			}
		}
	}
	t.Logf("%v", outcomes)
	if outcomes["refused"] == 0 || outcomes["unharmed"] == 0 {
		t.Error("the test has lost its point")
	}
}

// suffix tells whether a log holds the end of another, from entry 11 or before: what lies before was only for others.
func suffix(whole, got string) bool {
	_, entries, _ := strings.Cut(got, ")")
	return strings.HasSuffix(whole, entries) && strings.Contains(entries, " 11 ")
}

// reconciled opens files as a start does, with a state that is at an entry.
func reconciled(t *testing.T, kind Kind, files map[string][]byte, applied uint64) (string, error) {
	t.Helper()
	dir := filepath.Join(memoryDir(t), "log")
	err := os.Mkdir(dir, 0o700)
	for name, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(filepath.Dir(dir)) // there are thousands
	var fatal error
	s, err := Open(dir, kind, Options{SegmentBytes: crashSegment, Fatal: func(err error) { fatal = err }})
	if err != nil {
		return "", err
	}
	err = Reconcile(s, Applied{Index: applied, Term: 3})
	if err := errors.Join(err, s.Close()); err != nil {
		return "", errors.Join(err, fatal)
	}
	return held(dir, kind, false)
}

// sample chooses positions by a seed.
func sample(rng *rand.Rand, count int) func(string, int) (int, bool) {
	left := map[string]int{}
	return func(name string, size int) (int, bool) {
		if _, ok := left[name]; !ok {
			left[name] = count
		}
		left[name]--
		return rng.IntN(size * 8), left[name] >= 0
	}
}

func TestAFlippedBitIsNoticed(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, kind Kind) {
		flips(t, kind, sample(rand.New(rand.NewPCG(17, 18)), 150))
	})
}
