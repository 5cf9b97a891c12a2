package logstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// The layout of raft-wal's segments: a header, then frames of eight bytes and a payload that is padded to a multiple of
// eight. A commit frame ends each batch and carries the CRC-32C of everything since the last one.
const (
	segmentHeader = 32
	frameHeader   = 8
	frameEntry    = 1
	frameIndex    = 2
	frameCommit   = 3
)

// checkLastSegment refuses a segment that is damaged in the middle. raft-wal takes the first frame that it can't read for
// the end of a write that a crash has cut short, and what follows for nothing: entries that were acknowledged would be
// gone. Only the last batch can have been cut short, so that a whole batch behind a damaged one proves the damage.
func checkLastSegment(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+walSuffix))
	if err != nil || len(names) == 0 {
		return err
	}
	path := slices.MaxFunc(names, strings.Compare) // names begin with the first index, in as many digits
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map %s: %w", path, err)
	}
	at := damagedAt(b)
	if err := syscall.Munmap(b); err != nil {
		return fmt.Errorf("unmap %s: %w", path, err)
	}
	if at < 0 {
		return nil
	}
	return fmt.Errorf("%w: %s can't be read behind byte %d, and whole entries follow", ErrDamaged, path, at)
}

// damagedAt is where a segment's first damaged batch begins that has a whole one behind it; -1 if there is none.
func damagedAt(b []byte) int {
	start, frames := 0, segmentHeader // the first batch includes the header
	for {
		end, ok := batchEnd(b, start, frames)
		if !ok {
			break
		}
		start, frames = end, end
	}
	for at := max(start, segmentHeader); at+frameHeader <= len(b); at += frameHeader {
		if b[at] != frameCommit || b[at+1]|b[at+2]|b[at+3] != 0 {
			continue
		}
		if _, ok := batchEnd(b, at+frameHeader, at+frameHeader); ok {
			return start
		}
	}
	return -1
}

// batchEnd is the end of the batch whose checksum counts from start and whose frames begin at frames, if it is whole.
func batchEnd(b []byte, start, frames int) (end int, ok bool) {
	for at := frames; at+frameHeader <= len(b); {
		value := binary.LittleEndian.Uint32(b[at+4:])
		switch b[at] {
		case frameEntry, frameIndex:
			size := frameHeader + (int(value)+frameHeader-1)/frameHeader*frameHeader
			if size > len(b)-at {
				return 0, false
			}
			at += size
		case frameCommit:
			sum := crc32.Checksum(b[start:at], crc32.MakeTable(crc32.Castagnoli))
			return at + frameHeader, sum == value && at > frames
		default:
			return 0, false
		}
	}
	return 0, false
}
