package store

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
)

func TestBatchReadsItsOwnWrites(t *testing.T) {
	f := openStore(t, vfs.NewMem())
	f.apply(1, "a", "1", "b", "2", "c", "3", "d", "4")
	b := f.NewBatch()
	b.Set([]byte("e"), []byte("5"))
	b.Delete([]byte("a"))
	b.DeleteRange([]byte("b"), []byte("d"))
	first, ok := b.Get([]byte("e"))
	if _, gone := b.Get([]byte("b")); !ok || gone {
		t.Errorf("Get(e) %v, Get(b) %v, want true, false", ok, gone)
	}
	var seen []string
	b.Scan([]byte("a"), []byte("z"), func(k, v []byte) bool {
		seen = append(seen, string(k)+"="+string(v))
		b.Set([]byte("f"), []byte("6")) // not seen by this scan
		return true
	})
	if got := strings.Join(seen, " "); got != "d=4 e=5" {
		t.Errorf("scan saw %q", got)
	}
	for i := range 2_000 { // values stay valid while others are read
		b.Set(fmt.Appendf(nil, "x%d", i), bytes.Repeat([]byte{'x'}, i))
		b.Get(fmt.Appendf(nil, "x%d", i))
	}
	b.DeleteRange([]byte("x"), []byte("y"))
	if string(first) != "5" {
		t.Errorf("a value read earlier became %q", first)
	}
	b.Commit(at(2))
	f.wantState(2, map[string]string{"d": "4", "e": "5", "f": "6"})
}

func TestScanStopsWhenTold(t *testing.T) {
	f := openStore(t, vfs.NewMem())
	f.apply(1, "a", "1", "b", "2", "c", "3")
	b := f.NewBatch()
	defer b.Close()
	n := 0
	b.Scan([]byte("a"), []byte("z"), func(_, _ []byte) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("the scan went on for %d keys, want 2", n)
	}
}

func TestReopenHoldsStateAndPosition(t *testing.T) {
	fs := vfs.NewMem()
	f := openStore(t, fs)
	if list, err := f.Snapshots().List(); err != nil || len(list) != 0 {
		t.Errorf("an empty store lists %v, %v", list, err)
	}
	f.apply(3, "a", "1")
	b := f.NewBatch()
	b.Set([]byte("b"), []byte("2"))
	want := Position{Index: 9, Term: 4, Configuration: members("a", "b", "c"), ConfigurationIndex: 8}
	b.Commit(want)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = openStore(t, fs)
	if got := f.Position(); !reflect.DeepEqual(got, want) {
		t.Errorf("position %+v, want %+v", got, want)
	}
	f.wantState(9, map[string]string{"a": "1", "b": "2"})
	list, err := f.Snapshots().List()
	if err != nil || len(list) != 1 || list[0].Index != 9 || list[0].Term != 4 || list[0].ConfigurationIndex != 8 ||
		!reflect.DeepEqual(list[0].Configuration, want.Configuration) {
		t.Errorf("listed %+v, %v", list, err)
	}
}

func TestReaderKeepsWhatItSaw(t *testing.T) {
	f := openStore(t, vfs.NewMem())
	f.apply(1, "a", "old")
	r := f.NewReader()
	defer r.Close()
	f.apply(2, "a", "new")
	if v, ok := r.Get([]byte("a")); !ok || string(v) != "old" {
		t.Errorf("Get = %q, %v", v, ok)
	}
	if _, ok := r.Get([]byte("b")); ok {
		t.Error("Get found an absent key")
	}
	if got := r.Position().Index; got != 1 {
		t.Errorf("the reader's position is %d, want 1", got)
	}
}

func TestCommitRefusesAnEarlierPosition(t *testing.T) {
	var got error
	f := openStore(t, vfs.NewMem(), func(o *Options) { o.Fatal = func(err error) { got = err } })
	f.apply(5, "a", "1")
	b := f.NewBatch()
	defer b.Close()
	defer func() {
		if recover() == nil || got == nil {
			t.Errorf("no panic, or not fatal: %v", got)
		}
		f.wantState(5, map[string]string{"a": "1"})
	}()
	b.Commit(at(5))
}

func TestOpenRefusesASecondProcess(t *testing.T) {
	f := openStore(t, vfs.NewMem())
	if _, err := tryOpen(t, f.fs); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("opened twice: %v", err)
	}
}

func TestOpenRefusesOtherFormats(t *testing.T) {
	fs := vfs.NewMem()
	f := openStore(t, fs)
	f.apply(1, "a", "1")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := tryOpen(t, fs, func(o *Options) { o.Schema = 7 })
	if err == nil || !strings.Contains(err.Error(), "format 1.0 and this version reads 1.7") {
		t.Errorf("opened another schema: %v", err)
	}
	raiseEngineFormat(t, fs)
	_, err = tryOpen(t, fs)
	if err == nil || !strings.Contains(err.Error(), "storage engine's format") {
		t.Errorf("opened another engine format: %v", err)
	}
}

func raiseEngineFormat(t *testing.T, fs vfs.FS) {
	t.Helper()
	quiet := engineLogger{&Options{Logger: hclog.NewNullLogger(), Fatal: func(err error) { t.Error(err) }}}
	db, err := pebble.Open(testDir+"/g-00000001", &pebble.Options{FS: fs, FormatMajorVersion: engineFormat + 3, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRemovesOnlyWhatItUnderstands(t *testing.T) {
	fs := vfs.NewMem()
	f := openStore(t, fs)
	f.apply(1, "a", "1")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := fs.Rename(testDir+"/g-00000001", testDir+"/g-00000007"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"g-00000003", "tmp-receive-4", "g-9", "g-x", "notes", "tmpfile"} {
		if err := fs.MkdirAll(testDir+"/"+name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f = openStore(t, fs)
	f.wantState(1, map[string]string{"a": "1"})
	if got := strings.Join(f.names(), " "); got != "LOCK g-00000007 g-9 g-x notes tmpfile" {
		t.Errorf("after Open the directory holds %s", got)
	}
}

func TestOpenNeedsFatal(t *testing.T) {
	if _, err := Open(testDir, Options{FS: vfs.NewMem()}); err == nil {
		t.Error("opened without Fatal")
	}
}

func TestOpenOnTheRealFileSystem(t *testing.T) {
	dir := t.TempDir() + "/new/state"
	o := Options{Fatal: func(err error) { t.Error(err) }}
	for i := range uint64(3) {
		s, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{Store: s, t: t}
		f.apply(i+1, "k", fmt.Sprint(i))
		f.wantState(i+1, map[string]string{"k": fmt.Sprint(i)})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
