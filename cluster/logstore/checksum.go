package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime/debug"
	"syscall"

	"github.com/hashicorp/raft"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged is wrapped by errors about files that do not hold what was written to them.
var ErrDamaged = errors.New("the log is damaged")

const checksumBytes = 4

// checksum is the CRC-32C of what an entry means. bolt has none of its own for data, and raft-wal looks at its own only
// when it repairs the end of the log: a byte that changed in the middle would be applied, here or on another member.
func checksum(l *raft.Log, extensions []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	sum := crc32.Update(crc32.Checksum(head[:], table), table, extensions)
	return crc32.Update(sum, table, l.Data)
}

// sealed returns copies of entries with the checksum behind their extensions. raft goes on using the originals. What the
// backends would not give back as it was, a time's zone and monotonic reading and the difference between empty and nil,
// is the same in all.
func sealed(logs []*raft.Log) []*raft.Log {
	copies := make([]raft.Log, len(logs))
	all := make([]*raft.Log, len(logs))
	for i, l := range logs {
		copies[i] = *l
		copies[i].AppendedAt = l.AppendedAt.UTC()
		if len(l.Data) == 0 {
			copies[i].Data = nil
		}
		copies[i].Extensions = binary.BigEndian.AppendUint32(l.Extensions[:len(l.Extensions):len(l.Extensions)], checksum(l, l.Extensions))
		all[i] = &copies[i]
	}
	return all
}

// unseal checks what was read as entry index and takes the checksum off. An entry without extensions was written before
// there were checksums.
func unseal(index uint64, l *raft.Log) error {
	if l.Index != index {
		return fmt.Errorf("%w: in the place of entry %d it holds entry %d", ErrDamaged, index, l.Index)
	}
	if len(l.Extensions) == 0 {
		return nil
	}
	end := len(l.Extensions) - checksumBytes
	if end < 0 || binary.BigEndian.Uint32(l.Extensions[end:]) != checksum(l, l.Extensions[:end]) {
		return fmt.Errorf("%w: entry %d does not have its checksum", ErrDamaged, index)
	}
	l.Extensions = withoutChecksum(l.Extensions)
	return nil
}

// withoutChecksum returns the extensions as they were before they were sealed.
func withoutChecksum(sealed []byte) []byte {
	if end := len(sealed) - checksumBytes; end > 0 {
		return sealed[:end:end]
	}
	return nil
}

// damaged marks an error of opening a backend's files: what is neither a failure of the system nor somebody else's lock
// comes from their content, or from one that is missing.
func damaged(err error) error {
	var system syscall.Errno
	if err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, berrors.ErrTimeout) || errors.As(err, &system) && system != syscall.ENOENT {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// caught runs f, and makes an error of what bolt does with a damaged file: it panics, or reads beyond the end of the file
// that it has mapped.
func caught(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return f()
}
