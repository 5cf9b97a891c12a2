package store

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// fullDisk answers ENOSPC to writes while it is on.
type fullDisk struct{ on atomic.Bool }

func (d *fullDisk) String() string { return "full disk" }

func (d *fullDisk) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpLink:
		if d.on.Load() {
			return syscall.ENOSPC
		}
	}
	return nil
}

// ending records what would have ended the process; it blocks who reports it, as ending the process does.
type ending struct {
	reported chan error
	release  chan struct{}
}

func newEnding() *ending {
	return &ending{reported: make(chan error, 16), release: make(chan struct{})}
}

func (e *ending) fatal(err error) {
	e.reported <- err
	<-e.release
}

// On a full disk Pebble's Commit and Flush block and return nothing; the process has to end all the same.
func TestAFullDiskEndsTheProcess(t *testing.T) {
	works := map[string]func(f *fixture, stop <-chan struct{}){
		"persist":    func(f *fixture, _ <-chan struct{}) { _ = f.flush(f.current()) },
		"checkpoint": func(f *fixture, _ <-chan struct{}) { _, _, _ = f.Snapshots().Open(liveID) },
		"commit": func(f *fixture, stop <-chan struct{}) {
			for i := uint64(2); ; i++ {
				select {
				case <-stop:
					return
				default:
					f.apply(i, fmt.Sprint(i), strings.Repeat("x", 1<<20))
				}
			}
		},
	}
	for name, work := range works {
		t.Run(name, func(t *testing.T) {
			disk, end := &fullDisk{}, newEnding()
			f := openStore(t, errorfs.Wrap(vfs.NewMem(), disk), func(o *Options) { o.Fatal = end.fatal })
			f.apply(1, "a", "1")
			disk.on.Store(true)
			done, stop := make(chan struct{}), make(chan struct{})
			go func() { defer close(done); work(f, stop) }()
			if err := await(t, "report of the full disk", end.reported); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("reported: %v", err)
			}
			disk.on.Store(false)
			close(stop)
			close(end.release)
			await(t, "end of the work", done)
		})
	}
}

func TestAFullDiskWhileReceivingEndsTheProcess(t *testing.T) {
	from := openStore(t, vfs.NewMem())
	from.apply(5, "a", "1")
	_, stream := from.stream()
	var got error
	disk := &fullDisk{}
	f := openStore(t, errorfs.Wrap(vfs.NewMem(), disk), func(o *Options) { o.Fatal = func(err error) { got = err } })
	disk.on.Store(true)
	if err := f.install(at(5), stream); !errors.Is(err, syscall.ENOSPC) || !errors.Is(got, syscall.ENOSPC) {
		t.Errorf("received: %v, reported: %v", err, got)
	}
	disk.on.Store(false)
	f.wantState(0, map[string]string{})
}

// hangingDisk holds every sync of a file until it is released.
type hangingDisk struct{ gate atomic.Pointer[chan struct{}] }

func (d *hangingDisk) String() string { return "hanging disk" }

func (d *hangingDisk) MaybeError(op errorfs.Op) error {
	gate := d.gate.Load()
	if gate != nil && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
		<-*gate
	}
	return nil
}

func TestAFlushThatHangsEndsTheProcess(t *testing.T) {
	disk, reported := &hangingDisk{}, make(chan error, 1)
	f := openStore(t, errorfs.Wrap(vfs.NewMem(), disk), func(o *Options) {
		o.FlushLimit = 10 * time.Millisecond
		o.Fatal = func(err error) { reported <- err }
	})
	f.apply(1, "a", "1")
	gate := make(chan struct{})
	disk.gate.Store(&gate)
	done := make(chan error, 1)
	go func() { done <- f.flush(f.current()) }()
	var hang *hangError
	if err := await(t, "report of the hanging disk", reported); !errors.As(err, &hang) {
		t.Errorf("reported: %v", err)
	}
	close(gate)
	if err := await(t, "end of the flush", done); err != nil {
		t.Error(err)
	}
}

func TestDamagedDataEndsTheProcess(t *testing.T) {
	fs := vfs.NewMem()
	f := openStore(t, fs)
	f.apply(1, "a", strings.Repeat("x", 10_000))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	damageTables(t, fs, testDir+"/g-00000001")
	var got error
	f, err := tryOpen(t, fs, func(o *Options) { o.Fatal = func(err error) { got = err } })
	if err != nil {
		return // refused at once, as good
	}
	defer func() {
		if recover() == nil || got == nil {
			t.Errorf("damaged data was read; reported: %v", got)
		}
	}()
	f.contents()
}

// damageTables changes one byte in the middle of every table.
func damageTables(t *testing.T, fs vfs.FS, dir string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		file, err := fs.OpenReadWrite(dir+"/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		_, err = file.ReadAt(b, 20)
		b[0] ^= 0xff
		_, werr := file.WriteAt(b, 20)
		if err := errors.Join(err, werr, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
