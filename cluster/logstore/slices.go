package logstore

import (
	"fmt"
	"os"
	"strings"
)

// slicer says where the first slice of a deletion at the head ends: at to, or before. Nobody appends while a slice goes.
type slicer func(from, to uint64) (end uint64, err error)

// entrySlices have so many entries each.
func entrySlices(entries uint64) slicer {
	return func(from, to uint64) (uint64, error) { return min(to, from+entries-1), nil }
}

// walSlice is how many segments go at once: raft-wal syncs the directory after each file that it removes, and a slow disk
// takes 200 ms for that.
const walSlice = 4

// segmentSlices have walSlice segments of a wal each. A file is named after the first entry of its segment, so that names
// stand in the order of the log.
func segmentSlices(dir string) slicer {
	return func(from, to uint64) (uint64, error) {
		files, err := os.ReadDir(dir)
		if err != nil {
			return 0, fmt.Errorf("list of segments: %w", err)
		}
		behind := 0
		for _, f := range files {
			var first, id uint64
			if _, err := fmt.Sscanf(f.Name(), "%020d-%016x"+walSuffix, &first, &id); err != nil || !strings.HasSuffix(f.Name(), walSuffix) || first <= from {
				continue
			}
			if behind++; behind == walSlice {
				return min(to, first-1), nil
			}
		}
		return to, nil
	}
}
