package logstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/raft-wal/types"
)

// checkSegments says what can't be in raft-wal's list of segments: they follow each other, all but the last are full, and
// the last is the newest. The list has no checksum, and from a wrong line raft-wal would conclude that a segment is empty,
// or not needed, and delete it.
func checkSegments(s types.PersistentState) error {
	for i, seg := range s.Segments {
		last := i == len(s.Segments)-1
		switch {
		case seg.BaseIndex == 0 || seg.MinIndex < seg.BaseIndex:
			return fmt.Errorf("segment %d begins at entry %d, and with entry %d", seg.ID, seg.BaseIndex, seg.MinIndex)
		case seg.SealTime.IsZero() != last:
			return fmt.Errorf("segment %d, number %d of %d, is the last or is not", seg.ID, i+1, len(s.Segments))
		case !last && seg.MinIndex > seg.MaxIndex, last && seg.MaxIndex != 0:
			return fmt.Errorf("segment %d has the entries %d to %d", seg.ID, seg.MinIndex, seg.MaxIndex)
		case last && seg.ID+1 != s.NextSegmentID:
			return fmt.Errorf("the last segment is %d and the next one will be %d", seg.ID, s.NextSegmentID)
		}
		if i == 0 {
			continue
		}
		if before := s.Segments[i-1]; seg.BaseIndex != before.MaxIndex+1 || seg.MinIndex != seg.BaseIndex || seg.ID <= before.ID {
			return fmt.Errorf("segment %d begins at entry %d, behind segment %d, which ends with entry %d", seg.ID, seg.MinIndex, before.ID, before.MaxIndex)
		}
	}
	return nil
}

// checkUnnamed refuses a directory with a file of the last segment's id while the segment's own is not there: that can only
// have lost its name before anything was in it.
func checkUnnamed(dir string, last types.SegmentInfo) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), fmt.Sprintf("-%016x%s", last.ID, walSuffix)) {
			return fmt.Errorf("%w: %s is not in the list of segments", ErrDamaged, filepath.Join(dir, e.Name()))
		}
	}
	return nil
}
