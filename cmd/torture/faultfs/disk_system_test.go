//go:build linux && system

package faultfs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func openDisk(t *testing.T, o Options) *Disk {
	t.Helper()
	d, err := Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func create(t *testing.T, p string) *os.File {
	t.Helper()
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestSystemFaultsHitTheirPathsOnly(t *testing.T) {
	d := openDisk(t, Options{})
	if err := os.Mkdir(filepath.Join(d.Path(), "raft"), 0o700); err != nil {
		t.Fatal(err)
	}
	in, out := create(t, filepath.Join(d.Path(), "raft", "log")), create(t, filepath.Join(d.Path(), "state"))

	fault := d.Inject(Fault{Op: Sync, Paths: "raft", Err: syscall.EIO})
	if err := in.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("sync: %v, want EIO", err)
	}
	if err := out.Sync(); err != nil {
		t.Errorf("sync of another path: %v", err)
	}
	if _, err := in.WriteString("x"); err != nil {
		t.Errorf("write: %v", err)
	}
	fault.Lift()
	if err := in.Sync(); err != nil {
		t.Errorf("sync after the fault: %v", err)
	}
	if fault.Hits() != 1 || d.Stats().Failed != 1 {
		t.Errorf("%d hits, %+v", fault.Hits(), d.Stats())
	}

	d.Inject(Fault{Op: Write, Paths: "ra?t/l*", Err: syscall.EIO, After: 3})
	if n, err := in.WriteString("abcdef"); n != 3 || !errors.Is(err, syscall.EIO) {
		t.Errorf("write: %d bytes, %v; want 3 and then EIO", n, err)
	}
	d.Inject(Fault{Op: Change, Err: syscall.EROFS})
	if err := os.Remove(in.Name()); !errors.Is(err, syscall.EROFS) {
		t.Errorf("remove: %v, want EROFS", err)
	}
	d.LiftAll()
	if err := os.Remove(in.Name()); err != nil {
		t.Error(err)
	}
}

func TestSystemStallEndsWhenLifted(t *testing.T) {
	d := openDisk(t, Options{})
	f, other := create(t, filepath.Join(d.Path(), "log")), create(t, filepath.Join(d.Path(), "state"))
	t.Cleanup(d.LiftAll)
	fault := d.Inject(Fault{Op: Sync, Stall: true})
	ended := make(chan error, 1)
	go func() { ended <- f.Sync() }()
	<-fault.Met()
	if _, err := other.WriteString("goes on"); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("the sync ended in a stall: %v", err)
	default:
	}
	fault.Lift()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	slow := d.Inject(Fault{Op: Sync, Delay: 50 * time.Millisecond})
	began := time.Now()
	if err := f.Sync(); err != nil || time.Since(began) < slow.Delay {
		t.Errorf("a sync that takes 50 ms more ended after %v: %v", time.Since(began), err)
	}
	if d.Stats().Delayed != 2 {
		t.Errorf("%+v, want 2 delayed calls", d.Stats())
	}
}

func TestSystemFullDisk(t *testing.T) {
	d := openDisk(t, Options{})
	f := create(t, filepath.Join(d.Path(), "log"))
	if _, err := f.Write(make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	d.SetRoom(8192)
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.Path(), &s); err != nil || s.Bavail*uint64(s.Bsize) != 8192 {
		t.Errorf("statfs: %d bytes, %v; want 8192", s.Bavail*uint64(s.Bsize), err)
	}
	if _, err := f.WriteAt(make([]byte, 10_000), 0); err != nil {
		t.Errorf("overwriting needs no room: %v", err)
	}
	if n, err := f.Write(make([]byte, 10_000)); n != 8192 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write: %d bytes, %v; want 8192 and then ENOSPC", n, err)
	}
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, 1<<20); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("fallocate: %v, want ENOSPC", err)
	}
	if err := f.Truncate(5_000); err != nil || d.Room() != 13_192 {
		t.Errorf("%v, room for %d bytes after cutting 13192 off", err, d.Room())
	}
	if err := os.Remove(f.Name()); err != nil || d.Room() != 18_192 {
		t.Errorf("%v, room for %d bytes after the deletion, want 18192", err, d.Room())
	}
}

func TestSystemJournalKeepsNamesWithAnySync(t *testing.T) {
	for _, journal := range []bool{false, true} {
		d := openDisk(t, Options{Journal: journal})
		f := create(t, filepath.Join(d.Path(), "log"))
		if _, err := f.WriteString("synced"); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Crash(Loss{}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(f.Name())
		if journal && string(b) != "synced" || !journal && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("journal %v: %q, %v", journal, b, err)
		}
	}
}

func TestSystemTornPagesAreOldOrNew(t *testing.T) {
	const size = 64 * pageBytes
	seen := map[string]int{}
	for seed := range uint64(8) {
		d := openDisk(t, Options{Journal: true})
		f := create(t, filepath.Join(d.Path(), "log"))
		write := func(b byte, sync bool) {
			if _, err := f.WriteAt(bytes.Repeat([]byte{b}, size), 0); err != nil {
				t.Fatal(err)
			}
			if !sync {
				return
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		write('o', true)
		write('n', false)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		lost, err := d.Crash(Loss{Tear: true, Seed: seed})
		if err != nil || lost.Bytes == 0 || lost.Bytes >= size {
			t.Errorf("%+v, %v", lost, err)
		}
		got, err := os.ReadFile(f.Name())
		if err != nil || len(got) != size {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		for page := range 64 {
			var kinds [2]int
			for s := range pageBytes / sectorBytes {
				at := page*pageBytes + s*sectorBytes
				sector := got[at : at+sectorBytes]
				switch {
				case bytes.Count(sector, []byte{'o'}) == sectorBytes:
					kinds[0]++
				case bytes.Count(sector, []byte{'n'}) == sectorBytes:
					kinds[1]++
				default:
					t.Fatalf("a sector of page %d is neither old nor new", page)
				}
			}
			switch {
			case kinds[1] == 0:
				seen["old"]++
			case kinds[0] == 0:
				seen["new"]++
			default:
				seen["torn"]++
			}
		}
	}
	if seen["old"] == 0 || seen["new"] == 0 || seen["torn"] == 0 {
		t.Errorf("pages were %v", seen)
	}
}

func TestSystemCrashWaitsForNobody(t *testing.T) {
	d := openDisk(t, Options{})
	f := create(t, filepath.Join(d.Path(), "log"))
	if _, err := d.Crash(Loss{}); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("crash under an open file: %v, want EBUSY", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSystemNothingIsSyncedWithoutPower(t *testing.T) {
	d := openDisk(t, Options{Journal: true})
	f := create(t, filepath.Join(d.Path(), "log"))
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("lost"); err != nil {
		t.Fatal(err)
	}
	fault := d.Inject(Fault{Op: Sync, Stall: true})
	ended := make(chan error, 1)
	go func() { ended <- f.Sync() }()
	<-fault.Met()
	d.PowerOff()
	if err := <-ended; !errors.Is(err, syscall.EIO) {
		t.Errorf("the sync that the power went in: %v, want EIO", err)
	}
	if _, err := f.WriteString("never"); !errors.Is(err, syscall.EIO) {
		t.Errorf("write without power: %v, want EIO", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if lost, err := d.Crash(Loss{}); err != nil || lost.Bytes != 4 {
		t.Errorf("%+v, %v; want 4 bytes lost", lost, err)
	}
	if b, err := os.ReadFile(f.Name()); err != nil || len(b) != 0 {
		t.Errorf("%q, %v", b, err)
	}
}
