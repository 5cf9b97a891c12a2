package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

const damageEntries = 40

// damageable makes a log whose entries lie in one batch each, closes it and returns its directory.
func damageable(t *testing.T, kind Kind) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, kind, Options{SegmentBytes: 64 << 10, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(damageEntries) {
		l := &raft.Log{Index: i + 1, Term: 1, Data: fmt.Appendf(nil, "<%d>%s", i+1, strings.Repeat("x", 600))}
		if err := s.StoreLog(l); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	return dir
}

// readAll opens a log and reads every entry. It returns how many there are, and what stopped it.
func readAll(t *testing.T, dir string, kind Kind) (entries uint64, err error) {
	t.Helper()
	var fatal error
	s, err := Open(dir, kind, Options{SegmentBytes: 64 << 10, Fatal: func(err error) { fatal = err }})
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.(*guard).lock.Close() }() // bolt may have panicked with its locks held: the process would end here
	entries, err = s.LastIndex()
	for i := uint64(1); i <= entries && err == nil; i++ {
		var l raft.Log
		if err = s.GetLog(i, &l); err == nil && !strings.HasPrefix(string(l.Data), fmt.Sprintf("<%d>x", i)) {
			t.Errorf("entry %d is %.20q", i, l.Data)
		}
	}
	if (err == nil) != (fatal == nil) {
		t.Errorf("reading ends with %v, the process with %v", err, fatal)
	}
	if err == nil {
		closeStore(t, s)
	}
	return entries, err
}

// change rewrites a file.
func change(t *testing.T, pattern string, f func(b []byte) []byte) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	path := slices.Max(names)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// entryAt is where the data of an entry lies in a file.
func entryAt(t *testing.T, b []byte, entry int) int {
	t.Helper()
	at := bytes.LastIndex(b, fmt.Appendf(nil, "<%d>x", entry))
	if at < 0 {
		t.Fatalf("entry %d is not in the file", entry)
	}
	return at
}

// frameOf is where raft-wal's frame of an entry begins.
func frameOf(t *testing.T, b []byte, entry int) int {
	t.Helper()
	at := entryAt(t, b, entry) &^ 7
	for b[at] != frameEntry || b[at+1]|b[at+2]|b[at+3] != 0 || b[at+6]|b[at+7] != 0 {
		at -= 8
	}
	return at
}

func TestDamageInTheMiddleIsNoticed(t *testing.T) {
	zero := func(b []byte, from, to int) []byte {
		clear(b[from:to])
		return b
	}
	for name, test := range map[string]struct {
		kind   Kind
		file   string
		damage func(b []byte) []byte
	}{
		"bolt: a byte of an entry":          {Bolt, boltFile, func(b []byte) []byte { b[entryAt(t, b, 20)+100] ^= 1; return b }},
		"bolt: a sector of entries":         {Bolt, boltFile, func(b []byte) []byte { at := entryAt(t, b, 20) &^ 511; return zero(b, at, at+512) }},
		"bolt: both first pages":            {Bolt, boltFile, func(b []byte) []byte { return zero(b, 0, 2*os.Getpagesize()) }},
		"bolt: all pages but the first":     {Bolt, boltFile, func(b []byte) []byte { return zero(b, 2*os.Getpagesize(), len(b)) }},
		"bolt: half of the file is missing": {Bolt, boltFile, func(b []byte) []byte { return b[:len(b)/2&^(os.Getpagesize()-1)] }},
		"bolt: an empty file":               {Bolt, boltFile, func(b []byte) []byte { return b[:100] }},
		"wal: a byte of an entry":           {WAL, "*.wal", func(b []byte) []byte { b[entryAt(t, b, 20)+100] ^= 1; return b }},
		"wal: a sector of entries":          {WAL, "*.wal", func(b []byte) []byte { at := entryAt(t, b, 20) &^ 511; return zero(b, at, at+512) }},
		"wal: a frame's kind":               {WAL, "*.wal", func(b []byte) []byte { b[frameOf(t, b, 20)] = 77; return b }},
		"wal: a frame's length":             {WAL, "*.wal", func(b []byte) []byte { b[frameOf(t, b, 20)+5] ^= 1; return b }},
		"wal: a frame that is gone":         {WAL, "*.wal", func(b []byte) []byte { at := frameOf(t, b, 20); return zero(b, at, at+8) }},
		"wal: the segment's header":         {WAL, "*.wal", func(b []byte) []byte { return zero(b, 0, segmentHeader) }},
		"wal: the list of segments":         {WAL, walMetaFile, func(b []byte) []byte { return zero(b, 0, 2*os.Getpagesize()) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := damageable(t, test.kind)
			change(t, filepath.Join(dir, test.file), test.damage)
			before := listing(t, dir)
			entries, err := readAll(t, dir, test.kind)
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%d entries are read, and the error is %v", entries, err)
			}
			if after := listing(t, dir); after != before {
				t.Errorf("the files were\n%s\nand are\n%s", before, after)
			}
		})
	}
}

// listing names the files in a directory.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := ""
	for _, e := range entries {
		names += e.Name() + "\n"
	}
	return names
}

// What a crash leaves of the last write is cut off; everything before it stays.
func TestATornTailIsCut(t *testing.T) {
	for name, test := range map[string]struct {
		kind   Kind
		file   string
		damage func(b []byte) []byte
		least  uint64 // entries that have to be there
	}{
		"wal: the last entry is half there":  {WAL, "*.wal", func(b []byte) []byte { at := entryAt(t, b, damageEntries); clear(b[at+100:]); return b }, damageEntries - 1},
		"wal: only its end is there":         {WAL, "*.wal", func(b []byte) []byte { at := frameOf(t, b, damageEntries); clear(b[at : at+200]); return b }, damageEntries - 1},
		"wal: the file ends in it":           {WAL, "*.wal", func(b []byte) []byte { return b[:entryAt(t, b, damageEntries)+100] }, damageEntries - 1},
		"wal: rubbish behind the end":        {WAL, "*.wal", func(b []byte) []byte { copy(b[len(b)-800:], "rubbish"); return b }, damageEntries},
		"bolt: one of the two first pages":   {Bolt, boltFile, newestMeta, damageEntries - 1},
		"bolt: rubbish behind the last page": {Bolt, boltFile, func(b []byte) []byte { return append(b, make([]byte, 4096)...) }, damageEntries},
	} {
		t.Run(name, func(t *testing.T) {
			dir := damageable(t, test.kind)
			change(t, filepath.Join(dir, test.file), test.damage)
			entries, err := readAll(t, dir, test.kind)
			if err != nil || entries < test.least {
				t.Fatalf("%d entries are left, %v; want %d", entries, err, test.least)
			}
			s := open(t, dir, test.kind)
			next := &raft.Log{Index: entries + 1, Term: 2, Data: fmt.Appendf(nil, "<%d>x", entries+1)}
			if err := s.StoreLog(next); err != nil {
				t.Fatal(err)
			}
			closeStore(t, s)
			if again, err := readAll(t, dir, test.kind); err != nil || again != entries+1 {
				t.Errorf("after another write there are %d entries, %v", again, err)
			}
		})
	}
}

// newestMeta damages the meta page that bolt wrote last.
func newestMeta(b []byte) []byte {
	const transaction = 16 + 48 // where a meta page has its number
	page := 0
	for i := range 8 { // little endian, from the highest byte
		first, second := b[transaction+7-i], b[os.Getpagesize()+transaction+7-i]
		if first != second {
			if second > first {
				page = os.Getpagesize()
			}
			break
		}
	}
	b[page+20] ^= 1
	return b
}

// Entries of a log that was written before there were checksums are read as they are.
func TestEntriesWithoutAChecksumAreRead(t *testing.T) {
	f := newFake()
	g, reported := guarded(f, nil)
	if err := f.InmemStore.StoreLog(&raft.Log{Index: 1, Term: 1, Data: []byte("old")}); err != nil {
		t.Fatal(err)
	}
	add(t, g, 2, 3, 1)
	var l raft.Log
	for i := uint64(1); i <= 3; i++ {
		if err := g.GetLog(i, &l); err != nil || len(l.Extensions) != 0 {
			t.Errorf("entry %d: %+v, %v", i, l, err)
		}
	}
	if len(*reported) != 0 {
		t.Errorf("reported %v", *reported)
	}
	with := &raft.Log{Index: 4, Term: 1, Data: []byte("new"), Extensions: []byte("more")}
	if err := g.StoreLog(with); err != nil || string(with.Extensions) != "more" {
		t.Errorf("storing has changed the entry: %+v, %v", with, err)
	}
	if err := g.GetLog(4, &l); err != nil || string(l.Extensions) != "more" {
		t.Errorf("entry 4: %+v, %v", l, err)
	}
}
