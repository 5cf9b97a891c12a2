package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// sealedTail makes a log of segments as a crash leaves it that comes when the last segment is sealed and the list does not
// say so yet. It returns the directory and how many entries there are.
func sealedTail(t *testing.T) (dir string, entries uint64) {
	t.Helper()
	dir = t.TempDir()
	s := openSegments(t, dir)
	appendEntries(t, s, 1, 2)
	list, err := os.ReadFile(filepath.Join(dir, walMetaFile))
	if err != nil {
		t.Fatal(err)
	}
	segments := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, "*"+walSuffix))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	for entries = 2; len(segments()) == 1; entries++ { // the next one comes when the first is full
		appendEntries(t, s, entries+1, entries+1)
	}
	closeStore(t, s)
	if err := os.Remove(segments()[1]); err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(dir, walMetaFile), func([]byte) []byte { return list })
	return dir, lastIn(t, segments()[0])
}

// lastIn is the last entry in the only segment.
func lastIn(t *testing.T, path string) uint64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found, damaged := readBatches(b)
	if damaged || found.index == 0 {
		t.Fatalf("the segment is damaged (%v) or not sealed (%+v)", damaged, found)
	}
	return uint64(found.entries)
}

func openSegments(t *testing.T, dir string) Store {
	t.Helper()
	s, err := Open(dir, WAL, Options{SegmentBytes: 8 << 10, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func appendEntries(t *testing.T, s Store, from, to uint64) {
	t.Helper()
	for i := from; i <= to; i++ {
		if err := s.StoreLog(&raft.Log{Index: i, Term: 1, Data: fmt.Appendf(nil, "<%d>%s", i, strings.Repeat("x", 600))}); err != nil {
			t.Fatal(err)
		}
	}
}

// goesOn checks that a log has its entries, takes more, and has all of them after another start.
func goesOn(t *testing.T, dir string, entries uint64) {
	t.Helper()
	s := openSegments(t, dir)
	if last, err := s.LastIndex(); err != nil || last != entries {
		t.Errorf("the last index is %d, %v; want %d", last, err, entries)
	}
	appendEntries(t, s, entries+1, entries+40)
	closeStore(t, s)
	if all, err := readAll(t, dir, WAL); err != nil || all != entries+40 {
		t.Errorf("%d entries, %v; want %d", all, err, entries+40)
	}
}

func TestSealedTailTakesAppendsAfterACrash(t *testing.T) {
	t.Run("when a segment is full", func(t *testing.T) {
		dir, entries := sealedTail(t)
		goesOn(t, dir, entries)
	})
	t.Run("when a tail is cut off", func(t *testing.T) {
		dir := t.TempDir()
		s := openSegments(t, dir)
		appendEntries(t, s, 1, 6)
		list, err := os.ReadFile(filepath.Join(dir, walMetaFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteRange(5, 6); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		change(t, filepath.Join(dir, walMetaFile), func([]byte) []byte { return list }) // the deletion had not happened yet
		goesOn(t, dir, 6)
	})
	t.Run("when the seal is torn", func(t *testing.T) {
		dir, entries := sealedTail(t)
		change(t, filepath.Join(dir, "*.wal"), func(b []byte) []byte {
			found, _ := readBatches(b)
			clear(b[found.end-frameHeader : found.end])
			return b
		})
		goesOn(t, dir, entries-1) // the last batch was not acknowledged
	})
}

func TestTornBatchIsOverwritten(t *testing.T) {
	dir := damageable(t, WAL)
	change(t, filepath.Join(dir, "*.wal"), func(b []byte) []byte { b[entryAt(t, b, damageEntries)+100] ^= 1; return b })
	if entries, err := readAll(t, dir, WAL); err != nil || entries != damageEntries-1 {
		t.Errorf("%d entries, %v; want %d", entries, err, damageEntries-1)
	}
	change(t, filepath.Join(dir, "*.wal"), func(b []byte) []byte {
		found, _ := readBatches(b)
		if rest := bytes.TrimRight(b[found.end:], "\x00"); len(rest) > 0 {
			t.Errorf("%d bytes are left of a batch that was cut short", len(rest))
		}
		return b
	})
}

func TestSegmentsWithoutTheirListAreKept(t *testing.T) {
	dir := damageable(t, WAL)
	if err := os.Remove(filepath.Join(dir, walMetaFile)); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	if entries, err := readAll(t, dir, WAL); !errors.Is(err, ErrDamaged) {
		t.Errorf("%d entries are read, and the error is %v", entries, err)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("the files were\n%s\nand are\n%s", before, after)
	}
}
