package logstore

import (
	"encoding/binary"
	"hash/crc32"
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

// batches are the whole batches at the beginning of a segment.
type batches struct {
	end     int // where the last one ends
	entries int
	index   int // where the list of entries begins that seals the segment; 0 if it is not sealed
}

// readBatches reads a segment up to the first batch that is not whole, and says whether a whole one follows behind that.
// Only the last batch can have been cut short by a crash: a whole one behind proves damage.
func readBatches(b []byte) (all batches, damaged bool) {
	start, frames := 0, segmentHeader // the first batch includes the header
	for {
		next, ok := readBatch(b, start, frames)
		if !ok {
			break
		}
		all.end, all.entries, all.index = next.end, all.entries+next.entries, next.index
		start, frames = next.end, next.end
	}
	for at := max(start, segmentHeader) + frameHeader; at+frameHeader <= len(b); at += frameHeader {
		if b[at] != frameEntry || b[at+1]|b[at+2]|b[at+3] != 0 {
			continue
		}
		if _, ok := readBatch(b, at, at); ok { // the frame that ends the one before may be what is damaged
			return all, true
		}
	}
	return all, false
}

// readBatch reads the batch whose checksum counts from start and whose frames begin at frames, if it is whole.
func readBatch(b []byte, start, frames int) (batch batches, whole bool) {
	for at := frames; at+frameHeader <= len(b); {
		value := binary.LittleEndian.Uint32(b[at+4:])
		switch b[at] {
		case frameEntry, frameIndex:
			size := frameHeader + (int(value)+frameHeader-1)/frameHeader*frameHeader
			if size > len(b)-at {
				return batches{}, false
			}
			if b[at] == frameEntry {
				batch.entries++
			} else {
				batch.index = at + frameHeader
			}
			at += size
		case frameCommit:
			batch.end = at + frameHeader
			return batch, crc32.Checksum(b[start:at], crc32.MakeTable(crc32.Castagnoli)) == value && at > frames
		default:
			return batches{}, false
		}
	}
	return batches{}, false
}
