package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// TestABatchIsAMap: whatever is written, read and scanned in whatever order, a batch shows what a map would, and so does the
// store afterwards.
func TestABatchIsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := openStore(t, vfs.NewMem())
		want := map[string]string{}
		index := uint64(0)
		key := rapid.Map(rapid.IntRange(0, 9), func(i int) string { return fmt.Sprintf("k%d", i) })
		b := f.NewBatch()
		scan := func(lower, upper string) {
			var got, wanted []string
			b.Scan([]byte(lower), []byte(upper), func(k, v []byte) bool {
				got = append(got, string(k)+"="+string(v))
				return true
			})
			for _, k := range slices.Sorted(maps.Keys(want)) {
				if lower <= k && k < upper {
					wanted = append(wanted, k+"="+want[k])
				}
			}
			if !slices.Equal(got, wanted) {
				rt.Fatalf("the scan from %s to %s shows %q, want %q", lower, upper, got, wanted)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, v := []byte(key.Draw(t, "key")), []byte(rapid.StringN(0, 20, -1).Draw(t, "value"))
				want[string(k)] = string(v)
				b.Set(k, v)
				clear(k) // the batch has its own
				clear(v)
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				delete(want, k)
				b.Delete([]byte(k))
			},
			"delete range": func(t *rapid.T) {
				lower, upper := key.Draw(t, "lower"), key.Draw(t, "upper")
				if lower < upper {
					maps.DeleteFunc(want, func(k, _ string) bool { return lower <= k && k < upper })
					b.DeleteRange([]byte(lower), []byte(upper))
				}
			},
			"get": func(t *rapid.T) {
				k := key.Draw(t, "key")
				v, ok := b.Get([]byte(k))
				if w, wanted := want[k]; ok != wanted || string(v) != w {
					t.Fatalf("%s is %q, %v, want %q, %v", k, v, ok, w, wanted)
				}
			},
			"scan": func(t *rapid.T) { scan(key.Draw(t, "lower"), key.Draw(t, "upper")) },
			"commit": func(*rapid.T) {
				index++
				b.Commit(Position{Index: index, Term: 1})
				b = f.NewBatch()
			},
		})
		scan("k", "l")
		index++
		b.Commit(Position{Index: index, Term: 1})
	})
}

// One large batch must not make all later ones slow: to clear a map takes as long as it was ever large.
func TestABatchForgetsThatItWasLarge(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	for index, writes := range []int{maxKept + 1, 1} {
		b := s.NewBatch()
		for i := range writes {
			b.Set(fmt.Appendf(nil, "k%d", i), nil)
		}
		b.Commit(Position{Index: uint64(index + 1), Term: 1})
	}
	if room := cap(s.batch.keys); room > maxKept {
		t.Errorf("after a batch of %d writes and one of 1 there is room for %d", maxKept+1, room)
	}
}
