package store

import (
	"bytes"
	"math"
	"testing"
)

// TestScansOfOwnedKeysStayWithTheirOwner checks the bounds of scans over the keys of one user, from a place on.
func TestScansOfOwnedKeysStayWithTheirOwner(t *testing.T) {
	for _, test := range []struct {
		user, after, keyOf, key uint64
		inside                  bool
	}{
		{user: 7, after: 0, keyOf: 7, key: 1, inside: true},
		{user: 7, after: 1, keyOf: 7, key: 1, inside: false},
		{user: 7, after: 1, keyOf: 7, key: 2, inside: true},
		{user: 7, after: 0, keyOf: 7, key: math.MaxUint64, inside: true},
		{user: 7, after: math.MaxUint64, keyOf: 7, key: math.MaxUint64, inside: false},
		{user: 7, after: 0, keyOf: 6, key: 9, inside: false},
		{user: 7, after: 0, keyOf: 8, key: 0, inside: false},
		{user: 255, after: 3, keyOf: 256, key: 4, inside: false},
	} {
		lower, upper := APIKeysOf(test.user, test.after)
		key := APIKeyOf(test.keyOf, test.key)
		if got := bytes.Compare(key, lower) >= 0 && bytes.Compare(key, upper) < 0; got != test.inside {
			t.Errorf("key %d of user %d is among those of user %d after %d: %v", test.key, test.keyOf, test.user, test.after, got)
		}
		if got := APIKeyID(key); got != test.key {
			t.Errorf("the id in the key is %d, want %d", got, test.key)
		}
	}
	if got := EndedFamily(EndedKey(1 << 40)); got != 1<<40 {
		t.Errorf("the family in the key is %d", got)
	}
}

// TestDueWorkSortsAlikeAsKeysAndAsValues: a window is ordered by Before, the table by its keys.
func TestDueWorkSortsAlikeAsKeysAndAsValues(t *testing.T) {
	var all []Due
	for _, at := range []int64{0, 1, 256, math.MaxInt64} {
		for kind := DueMessage; kind <= DueClock; kind++ {
			for _, n := range []uint64{0, 255, 256, math.MaxUint64} {
				all = append(all, Due{at, kind, n, 1}, Due{at, kind, 1, n})
			}
		}
	}
	for _, a := range all {
		if got := ParseDue(a.Key()); got != a {
			t.Errorf("%+v comes back as %+v", a, got)
		}
		for _, b := range all {
			if got := bytes.Compare(a.Key(), b.Key()) < 0; got != a.Before(b) {
				t.Errorf("%+v before %+v: %v by value, %v by key", a, b, a.Before(b), got)
			}
		}
	}
}
