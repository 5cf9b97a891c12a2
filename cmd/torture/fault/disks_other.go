//go:build !linux

package fault

// diskFaults are none: they need FUSE.
func diskFaults() []Fault { return nil }
