package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// mendTail does for a log of segments what raft-wal's own recovery leaves undone, before raft-wal opens it:
//
//   - A tail that is damaged in the middle is refused. raft-wal takes the first frame that it can't read for the end of a
//     write that a crash has cut short, and what follows for nothing: entries that were acknowledged would be gone.
//   - What a crash did cut short is overwritten with zeros. raft-wal leaves it there, and reads it together with the batch
//     that it later writes over the beginning of it.
//   - A tail that was sealed when the crash came, but is not sealed in the list of segments, is sealed there. raft-wal
//     refuses every append to it otherwise, after every restart.
//   - Segments without a list are refused, and so is a list that can't be right. raft-wal would delete what is not listed.
func mendTail(dir string) (err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+walSuffix))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, walMetaFile)); errors.Is(err, os.ErrNotExist) && len(files) == 0 {
		return nil
	} else if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing, and there are segments", ErrDamaged, walMetaFile)
	} else if err != nil {
		return err
	}
	if err := checkBolt(filepath.Join(dir, walMetaFile), metadb.MetaBucket, metadb.StableBucket); err != nil {
		return err
	}
	var meta metadb.BoltMetaDB
	list, err := meta.Load(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, meta.Close()) }()
	if len(list.Segments) == 0 {
		if len(files) > 0 {
			return fmt.Errorf("%w: %s names no segment, and there are some", ErrDamaged, walMetaFile)
		}
		return nil
	}
	if err := checkSegments(list); err != nil {
		return fmt.Errorf("%w: the list of segments in %s: %w", ErrDamaged, dir, err)
	}
	tail := list.Segments[len(list.Segments)-1]
	found, err := cutTail(filepath.Join(dir, segment.FileName(tail)))
	if errors.Is(err, os.ErrNotExist) {
		return checkUnnamed(dir, tail)
	}
	if err != nil || found.index == 0 {
		return err
	}
	seal(&list, found)
	return meta.CommitState(list)
}

// seal has the last segment be a sealed one, and an empty one follow. raft-wal makes the file of that.
func seal(list *types.PersistentState, found batches) {
	tail := &list.Segments[len(list.Segments)-1]
	now := time.Now()
	tail.SealTime = now
	tail.MaxIndex = tail.BaseIndex + uint64(found.entries) - 1
	tail.IndexStart = uint64(found.index)
	next := types.SegmentInfo{
		ID:         list.NextSegmentID,
		BaseIndex:  tail.MaxIndex + 1,
		MinIndex:   tail.MaxIndex + 1,
		Codec:      tail.Codec,
		CreateTime: now,
		SizeLimit:  tail.SizeLimit,
	}
	list.NextSegmentID++
	list.Segments = append(list.Segments, next)
}

// cutTail overwrites with zeros what is behind the last whole batch of a segment, and returns what the segment holds then.
func cutTail(path string) (found batches, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return batches{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return batches{}, err
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return batches{}, fmt.Errorf("map %s: %w", path, err)
	}
	found, damaged := readBatches(b)
	rest := len(bytes.TrimRight(b[found.end:], "\x00"))
	if err := syscall.Munmap(b); err != nil {
		return batches{}, fmt.Errorf("unmap %s: %w", path, err)
	}
	if damaged {
		return batches{}, fmt.Errorf("%w: %s can't be read behind byte %d, and whole entries follow", ErrDamaged, path, found.end)
	}
	if rest == 0 {
		return found, nil
	}
	if _, err := f.WriteAt(make([]byte, rest), int64(found.end)); err != nil {
		return batches{}, err
	}
	return found, f.Sync()
}
