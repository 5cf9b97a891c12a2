package store

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// TestABatchIsAMap: whatever is written, read and scanned in whatever order, a batch shows what a map would, and so does the
// store after each commit.
func TestABatchIsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := openStore(t, vfs.NewMem())
		want, committed := map[string]string{}, map[string]string{}
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
			},
			"add": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.StringN(0, 20, -1).Draw(t, "value")
				if _, ok := want[k]; !ok {
					want[k] = v
					b.Add([]byte(k), []byte(v))
				}
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
				b, committed = f.NewBatch(), maps.Clone(want)
			},
			"get committed": func(t *rapid.T) {
				k := key.Draw(t, "key")
				v, ok := f.Get([]byte(k))
				if w, wanted := committed[k]; ok != wanted || string(v) != w {
					t.Fatalf("the store has %s as %q, %v, want %q, %v", k, v, ok, w, wanted)
				}
			},
			"read": func(t *rapid.T) { // which passes what is young to the engine
				if got := f.contents(); !maps.Equal(got, committed) {
					t.Fatalf("a reader sees %v, want %v", got, committed)
				}
			},
		})
		scan("k", "l")
		index++
		b.Commit(Position{Index: index, Term: 1})
		f.wantState(index, want)
	})
}

// One large batch must not make all later ones slow: to clear a map takes as long as it was ever large.
func TestALayerForgetsThatItWasLarge(t *testing.T) {
	const kept = 100
	l := newLayer(kept)
	for i := range kept + 1 {
		l.put(fmt.Appendf(nil, "k%d", i), write{})
	}
	large := reflect.ValueOf(l.places).Pointer()
	l.empty()
	if reflect.ValueOf(l.places).Pointer() == large || cap(l.writes) > kept {
		t.Errorf("after %d writes the map is used again", kept+1)
	}
}
