//go:build system

package store

import "testing"

// Some minutes of it.
func TestSystemFlippedBitsAreNoticed(t *testing.T) { flips(t, 40_000) }
