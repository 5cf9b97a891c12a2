//go:build system

package logstore

import "testing"

// Every byte of every file, one bit of each: some minutes.
func TestSystemEveryFlippedByteIsNoticed(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		at := map[string]int{}
		flips(t, kind, func(name string, size int) (int, bool) {
			at[name] += 8
			return at[name] - 8 + at[name]/8%8, at[name] < size*8
		})
	})
}
