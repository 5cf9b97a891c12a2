package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// testDisks gives every node of a cluster a disk of 100 GiB, whose free bytes the test sets.
type testDisks struct{ free [3]atomic.Uint64 }

const (
	roomy = 50 << 30
	tight = 1 << 30 // less than the reserve of 5 GiB
)

func newTestDisks() *testDisks {
	d := &testDisks{}
	for i := range d.free {
		d.free[i].Store(roomy)
	}
	return d
}

func (d *testDisks) use(c *Config) {
	for i := range d.free {
		if c.NodeName == name(i) {
			c.Disk = func(string) (free, total uint64, err error) { return d.free[i].Load(), 100 << 30, nil }
		}
	}
}

func trySend(c *testCluster, i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	_, err := c.nodes[i].Propose(ctx, sendCommand("q", "job"))
	return err
}

func TestSendsAreRefusedWhileAMajorityIsLow(t *testing.T) {
	t.Parallel()
	disks := newTestDisks()
	c := newTestCluster(t, "bolt", 3, disks.use)
	c.createQueue(0, "q")
	c.send(0, "q", "first")
	refused := func(want bool) bool {
		l := c.nodes[c.leader()]
		return l.sendsRefused.Load() == want
	}

	disks.free[2].Store(tight)
	eventually(t, "n2 to be known as low", func() bool { return low(c.nodes[0].Cluster(), 2) && low(c.nodes[1].Cluster(), 2) })
	for i := range c.nodes {
		if err := trySend(c, i); err != nil {
			t.Errorf("one of three disks is low, and a send through %s fails: %v", name(i), err)
		}
	}

	disks.free[1].Store(tight)
	eventually(t, "sends to be refused", func() bool { return refused(true) })
	for i := range c.nodes {
		err, ok := errors.AsType[*Error](trySend(c, i))
		if !ok || err.Code != CodeDiskLow || err.Unknown || err.RetryAfter != diskRetry {
			t.Errorf("a send through %s while two of three disks are low: %+v", name(i), err)
		}
		if got := c.receive(i, "q", 1, 0); len(got) != 1 {
			t.Errorf("received %q through %s while sends are refused", got, name(i))
		}
	}
	c.createQueue(1, "another")
	if s := c.nodes[0].Cluster().Summary; !strings.Contains(s, "Disk low on n1 and n2: sends are refused") {
		t.Errorf("the summary is %q", s)
	}

	disks.free[1].Store(roomy)
	eventually(t, "sends to be taken again", func() bool { return refused(false) })
	c.send(1, "q", "after")
}

func low(v View, i int) bool {
	for _, m := range v.Members {
		if m.Name == name(i) {
			return m.DiskLow
		}
	}
	return false
}

func TestALeaderOnALowDiskHandsOver(t *testing.T) {
	t.Parallel()
	disks := newTestDisks()
	c := newTestCluster(t, "bolt", 3, disks.use)
	c.createQueue(0, "q")
	first := c.leader()
	other := (first + 1) % 3
	disks.free[other].Store(tight) // not a better one, although it may have as much of the log
	eventually(t, "it to be known", func() bool { return low(c.nodes[first].Cluster(), other) })
	_, err := c.nodes[first].TransferLeadership(t.Context(), name(other))
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeMajorityAtRisk || e.Unknown || !strings.Contains(e.Detail, "disk of "+name(other)+" is low: 1.0 GiB") {
		t.Errorf("a transfer to a node whose disk is low: %v", err)
	}
	disks.free[first].Store(tight)
	want := (first + 2) % 3
	eventually(t, "the node with room to lead", func() bool { return c.leader() == want })
}

func TestANodeWithoutRoomWaitsAndTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var free atomic.Uint64
		free.Store(100 << 20)
		dir := filepath.Join(t.TempDir(), "data")
		n := New(Config{DataDir: dir, Disk: func(string) (uint64, uint64, error) { return free.Load(), 100 << 30, nil }})
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- n.WaitRoom(t.Context()) }()
		time.Sleep(90 * time.Second)
		reasons := strings.Join(n.Ready(), "; ")
		if !strings.HasPrefix(reasons, "disk_full: ") || !strings.Contains(reasons, "100 MiB") || !strings.Contains(reasons, "256 MiB") {
			t.Errorf("not ready because %q", reasons)
		}
		if s := n.Cluster().Summary; !strings.Contains(s, "disk_full") {
			t.Errorf("the summary is %q", s)
		}
		free.Store(256 << 20) // enough to start, not enough for the reserve
		if err := <-done; err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited > 92*time.Second {
			t.Errorf("it went on after %s", waited)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the data directory exists: %v", err)
		}
		if reasons := strings.Join(n.Ready(), "; "); strings.Contains(reasons, "disk_full") {
			t.Errorf("not ready because %q", reasons)
		}
	})
}

// Around the reserve a disk is low or not, but not by turns.
func TestALowDiskStaysLowUntilThereIsALittleMoreRoom(t *testing.T) {
	var free uint64
	n := New(Config{
		DiskReserve: DiskReserve{Bytes: 1_000},
		Disk:        func(string) (uint64, uint64, error) { return free, 100_000, nil },
	})
	for i, step := range []struct {
		free uint64
		low  bool
	}{{1_000, false}, {999, true}, {1_000, true}, {1_049, true}, {1_050, false}, {1_000, false}, {999, true}} {
		free = step.free
		d, err := n.lookAtDisk()
		if err != nil || d.low != step.low {
			t.Errorf("step %d, with %d bytes: low is %v, %v", i, step.free, d.low, err)
		}
		n.disk.Store(&d)
	}
}

func TestADiskThatCannotBeLookedAtIsReportedOnce(t *testing.T) {
	var log bytes.Buffer
	n := New(Config{
		Logger: hclog.New(&hclog.LoggerOptions{Output: &log}),
		Disk:   func(string) (uint64, uint64, error) { return 0, 0, os.ErrPermission },
	})
	for range 3 {
		n.sampleDisk()
	}
	if lines := strings.Count(log.String(), "can't be looked at"); lines != 1 {
		t.Errorf("three looks made %d lines: %s", lines, log.String())
	}
}

func TestWaitingForRoomEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n := New(Config{Disk: func(string) (uint64, uint64, error) { return 0, 1 << 30, nil }})
	if err := n.WaitRoom(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	small := New(Config{DiskReserve: DiskReserve{Bytes: 1 << 20}, Disk: func(string) (uint64, uint64, error) { return 2 << 20, 1 << 30, nil }})
	if err := small.WaitRoom(ctx); err != nil {
		t.Errorf("a node with a smaller reserve than 256 MiB does not start: %v", err)
	}
	broken := New(Config{Disk: func(string) (uint64, uint64, error) { return 0, 0, os.ErrPermission }})
	if err := broken.WaitRoom(ctx); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a disk that can't be looked at: %v", err)
	}
}

func TestTheRoomOfADirectoryThatDoesNotExistYet(t *testing.T) {
	dir := t.TempDir()
	free, total, err := statfs(dir)
	if err != nil || total == 0 || free > total {
		t.Fatalf("%d of %d, %v", free, total, err)
	}
	if _, below, err := statfs(filepath.Join(dir, "not", "yet")); err != nil || below != total {
		t.Errorf("the file system below has %d bytes, %v; want %d", below, err, total)
	}
	if _, _, err := statfs("\x00"); err == nil {
		t.Error("a path that can't be has room")
	}
}

// The number in sendsMessage is that of the command, and no other command is taken for it.
func TestOnlySendsAreSends(t *testing.T) {
	fields := (&fsmpb.Command{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.ContainingOneof() == nil {
			continue
		}
		c := &fsmpb.Command{Principal: admin, Session: &fsmpb.Session{Epoch: 1}}
		m := c.ProtoReflect()
		m.Set(f, m.NewField(f))
		b, err := proto.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sendsMessage(b), f.Name() == "send_message"; got != want {
			t.Errorf("%s: %v", f.Name(), got)
		}
	}
	for _, damaged := range []string{"", "\xff", "\x0a\xff\xff\xff\xff\x0f", "\x0a\x05ab"} {
		if sendsMessage([]byte(damaged)) {
			t.Errorf("%q is a send", damaged)
		}
	}
}
