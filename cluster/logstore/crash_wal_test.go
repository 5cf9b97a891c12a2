package logstore

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// crashFS is raft-wal's file system. It keeps what is on the disk for certain, and what is only on its way there.
type crashFS struct {
	*fs.FS
	*crashes
	dir   string
	files map[string]*crashFile
}

// crashFile is a file of crashFS. Like raft-wal's own it syncs its directory when it is synced for the first time.
type crashFile struct {
	types.WritableFile
	fs      *crashFS
	name    string
	named   bool   // the directory that holds the name was synced
	synced  []byte // the content that was
	pending []write
}

type write struct {
	at   int64
	data []byte
}

// look checks what a loss of power would leave at this moment: nothing of what is on its way, all of it, and some. The
// caller holds the lock.
func (f *crashFS) look(what string) {
	meta, err := os.ReadFile(filepath.Join(f.dir, walMetaFile))
	if err != nil {
		f.t.Error(err)
		return
	}
	f.lookWith(what, meta)
}

// lookWith is look with another list of segments.
func (f *crashFS) lookWith(what string, meta []byte) {
	for name, arrives := range map[string]func() bool{
		"nothing": func() bool { return false },
		"all":     func() bool { return true },
		"some":    func() bool { return f.rng.IntN(2) == 0 },
	} {
		files := map[string][]byte{walMetaFile: meta}
		unsure := false
		for _, file := range f.files {
			unsure = unsure || len(file.pending) > 0 || !file.named
			if file.named || arrives() {
				files[file.name] = file.content(arrives)
			}
		}
		if unsure || name == "all" {
			f.check(what+", "+name+" of what was not synced", files)
		}
	}
}

// content is what the file holds if some sectors of what is on its way arrive.
func (f *crashFile) content(arrives func() bool) []byte {
	const sector = 512
	b := append([]byte(nil), f.synced...)
	for _, w := range f.pending {
		for at := 0; at < len(w.data); {
			end := min(len(w.data), at+sector-int(w.at+int64(at))%sector)
			if arrives() {
				b = append(b, make([]byte, max(0, int(w.at)+end-len(b)))...)
				copy(b[int(w.at)+at:], w.data[at:end])
			}
			at = end
		}
	}
	return b
}

func (f *crashFS) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inner, err := f.FS.Create(dir, name, size)
	if err != nil {
		return nil, err
	}
	file := &crashFile{WritableFile: inner, fs: f, name: name}
	if size > 0 {
		file.pending = []write{{0, make([]byte, size)}}
	}
	f.files[name] = file
	f.look("create " + name)
	return file, nil
}

func (f *crashFS) Delete(dir, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look("before delete " + name)
	delete(f.files, name)
	f.look("delete " + name)
	return f.FS.Delete(dir, name)
}

func (f *crashFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	return nil, fmt.Errorf("the script opens %s again, which it should not", filepath.Join(dir, name))
}

func (f *crashFile) WriteAt(b []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.pending = append(f.pending, write{at, append([]byte(nil), b...)})
	f.fs.look("write to " + f.name)
	return f.WritableFile.WriteAt(b, at)
}

func (f *crashFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.synced, f.pending, f.named = f.content(func() bool { return true }), nil, true
	f.fs.look("sync of " + f.name)
	return f.WritableFile.Sync()
}

// crashMeta is raft-wal's list of segments, a bolt file.
type crashMeta struct {
	metadb.BoltMetaDB
	fs *crashFS
}

func (m *crashMeta) CommitState(s types.PersistentState) error {
	return m.commit("commit of the segments", func() error { return m.BoltMetaDB.CommitState(s) })
}

func (m *crashMeta) SetStable(key, value []byte) error {
	return m.commit("set of a value", func() error { return m.BoltMetaDB.SetStable(key, value) })
}

// commit looks before, in the middle of and after one bolt transaction.
func (m *crashMeta) commit(what string, f func() error) error {
	m.fs.mu.Lock()
	defer m.fs.mu.Unlock()
	path := filepath.Join(m.fs.dir, walMetaFile)
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for name, image := range torn(m.fs.rng, before, after, 4) {
		m.fs.lookWith(what+", "+name, image)
	}
	m.fs.look(what)
	return nil
}

// Loses unsynced bytes of raft-wal at every step of its life.
func TestWALLosesNothingInACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &crashes{t: t, kind: WAL, rng: rand.New(rand.NewPCG(9, 10))}
	vfs := &crashFS{FS: fs.New(), crashes: c, dir: dir, files: map[string]*crashFile{}}
	c.allowed = []string{""}
	b, err := wal.Open(dir, wal.WithSegmentFiler(segment.NewFiler(dir, newSegmentFiles(vfs, crashSegment/4))), wal.WithMetaStore(&crashMeta{fs: vfs}),
		wal.WithSegmentSize(crashSegment), wal.WithLogger(hclog.NewNullLogger()))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Options{Fatal: func(err error) { t.Error(err) }}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	r := &script{crashes: c, s: newGuard(b, io.NopCloser(nil), entrySlices(3), o), m: logModel{stable: map[string]uint64{}}}
	r.play()
	closeStore(t, r.s)
	t.Logf("%d images", c.images)
	if c.images < 300 {
		t.Errorf("%d images are too few: the test has lost its point", c.images)
	}
	maps.DeleteFunc(vfs.files, func(_ string, f *crashFile) bool { return len(f.pending) == 0 })
	for name := range vfs.files {
		if len(vfs.files) > 1 {
			t.Errorf("%s was never synced", name)
		}
	}
}
