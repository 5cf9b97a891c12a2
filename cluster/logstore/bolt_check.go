package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"
)

// The buckets of raft-boltdb: entries, by their index in eight bytes, and stable values.
const (
	logsBucket = "logs"
	confBucket = "conf"
)

// checkBolt walks through the whole tree of a file that has to have certain buckets. bolt walks through it itself at
// start, to find the free pages, but on a goroutine of its own, where a damaged page ends the process with a stack trace
// instead of a word about what to do. And it takes a count on trust: one that has become smaller hides the last entries.
func checkBolt(path string, buckets ...string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: boltLockWait})
	if err != nil {
		return err
	}
	err = caught(func() error {
		return db.View(func(tx *bbolt.Tx) error { return walkBolt(tx, path, buckets) })
	})
	return errors.Join(err, db.Close())
}

func walkBolt(tx *bbolt.Tx, path string, buckets []string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // it is only read
	size := tx.DB().Info().PageSize
	w := boltWalk{file: f, pageSize: size, pages: uint64(tx.Size()) / uint64(size), seen: map[uint64]bool{}}
	found := map[string]bool{}
	err = w.page(uint64(tx.Cursor().Bucket().Root()), nil, nil, func(name, value []byte, bucket bool) error {
		if !bucket || len(value) < boltHeader {
			return fmt.Errorf("%w: %q is no bucket", ErrDamaged, name)
		}
		found[string(name)] = true
		return w.bucket(string(name), value)
	})
	for _, name := range buckets {
		if err == nil && !found[name] {
			err = fmt.Errorf("%w: there is no bucket %q", ErrDamaged, name)
		}
	}
	return err
}

// bucket walks through a bucket, which begins with the number of its first page. Number 0 is for a page inside of it.
func (w *boltWalk) bucket(name string, value []byte) error {
	last := uint64(0)
	leaf := func(key, _ []byte, bucket bool) error {
		if bucket {
			return fmt.Errorf("%w: %q holds a bucket", ErrDamaged, name)
		}
		if name != logsBucket {
			return nil
		}
		if len(key) != 8 || last > 0 && binary.BigEndian.Uint64(key) != last+1 {
			return fmt.Errorf("%w: entry %x follows entry %x", ErrDamaged, key, last)
		}
		last = binary.BigEndian.Uint64(key)
		return nil
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return w.page(root, nil, nil, leaf)
	}
	return w.elements(value[boltHeader:], 0, nil, nil, leaf)
}

// The layout of bolt's pages, in the machine's byte order: a header of 16 bytes, with the page's number, flags at 8, a
// count at 10, and at 12 how many pages follow that belong to it; then as many elements of 16 bytes, then their data. An
// element says where its data is, from the element on.
const (
	boltHeader  = 16
	boltElement = 16
	boltBranch  = 1
	boltLeaf    = 2
)

// boltWalk is a walk through all pages that are in use.
type boltWalk struct {
	file     io.ReaderAt
	pageSize int
	pages    uint64 // in the file, used or free
	seen     map[uint64]bool
}

// leafFunc is told of each key.
type leafFunc func(key, value []byte, bucket bool) error

// page walks through a page and those below it, whose keys are from lower to below upper, if there is such.
func (w *boltWalk) page(id uint64, lower, upper []byte, leaf leafFunc) error {
	b, err := w.read(id)
	if err != nil {
		return err
	}
	return w.elements(b, id, lower, upper, leaf)
}

// read returns a page with those that belong to it. No other may use them.
func (w *boltWalk) read(id uint64) ([]byte, error) {
	b := make([]byte, w.pageSize)
	if id < 2 || id >= w.pages {
		return nil, fmt.Errorf("%w: there is no page %d", ErrDamaged, id)
	}
	if _, err := w.file.ReadAt(b, int64(id)*int64(w.pageSize)); err != nil {
		return nil, damaged(fmt.Errorf("page %d: %w", id, err))
	}
	more := uint64(binary.NativeEndian.Uint32(b[12:]))
	if id+more >= w.pages {
		return nil, fmt.Errorf("%w: page %d has %d more", ErrDamaged, id, more)
	}
	for i := id; i <= id+more; i++ {
		if w.seen[i] {
			return nil, fmt.Errorf("%w: page %d is used twice", ErrDamaged, i)
		}
		w.seen[i] = true
	}
	if more == 0 {
		return b, nil
	}
	b = make([]byte, (int(more)+1)*w.pageSize)
	if _, err := w.file.ReadAt(b, int64(id)*int64(w.pageSize)); err != nil {
		return nil, damaged(fmt.Errorf("page %d: %w", id, err))
	}
	return b, nil
}

// elements walks through what a page holds.
func (w *boltWalk) elements(b []byte, id uint64, lower, upper []byte, leaf leafFunc) error {
	if len(b) < boltHeader {
		return fmt.Errorf("%w: page %d is too short", ErrDamaged, id)
	}
	flags, count := binary.NativeEndian.Uint16(b[8:]), int(binary.NativeEndian.Uint16(b[10:]))
	if binary.NativeEndian.Uint64(b) != id || flags != boltLeaf && flags != boltBranch || flags == boltBranch && count == 0 {
		return fmt.Errorf("%w: page %d does not hold what it says", ErrDamaged, id)
	}
	keys := make([][]byte, 0, count+1)
	values := make([][]byte, 0, count)
	for i := range count {
		key, value, err := boltData(b, id, flags, i, count)
		if err != nil {
			return err
		}
		if i > 0 && bytes.Compare(keys[i-1], key) >= 0 || lower != nil && bytes.Compare(key, lower) < 0 || upper != nil && bytes.Compare(key, upper) >= 0 {
			return fmt.Errorf("%w: the keys of page %d are out of order", ErrDamaged, id)
		}
		keys, values = append(keys, key), append(values, value)
	}
	if count == 0 && len(b) >= boltHeader+boltElement && !bytes.Equal(b[boltHeader:boltHeader+boltElement], make([]byte, boltElement)) {
		return fmt.Errorf("%w: page %d holds more than it says", ErrDamaged, id)
	}
	keys = append(keys, upper)
	for i := range count {
		at := boltHeader + i*boltElement
		var err error
		if flags == boltLeaf {
			err = leaf(keys[i], values[i], binary.NativeEndian.Uint32(b[at:]) != 0)
		} else {
			err = w.page(binary.NativeEndian.Uint64(b[at+8:]), keys[i], keys[i+1], leaf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// boltData returns an element's data. Those of all elements lie one behind the other, the first behind the last element.
func boltData(b []byte, id uint64, flags uint16, i, count int) (key, value []byte, err error) {
	at := boltHeader + i*boltElement
	if boltHeader+count*boltElement > len(b) {
		return nil, nil, fmt.Errorf("%w: page %d can't hold %d keys", ErrDamaged, id, count)
	}
	field := func(n int) int { return int(binary.NativeEndian.Uint32(b[at+n:])) }
	where, keySize, valueSize := field(0), field(4), 0
	if flags == boltLeaf {
		where, keySize, valueSize = field(4), field(8), field(12)
	}
	start := at + where
	if start+keySize+valueSize > len(b) || i == 0 && where != count*boltElement {
		return nil, nil, fmt.Errorf("%w: page %d does not hold its key %d", ErrDamaged, id, i)
	}
	return b[start : start+keySize], b[start+keySize : start+keySize+valueSize], nil
}
