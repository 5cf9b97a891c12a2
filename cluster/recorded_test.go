package cluster

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// Data directories of earlier versions are in testdata/recorded, one for each log store and schema. This version either
// opens them and finds what they held, or it must have another schema number. To record those of the present schema anew:
//
//	FASTQUEUE_TEST_RECORD=1 go test ./cluster -run TestRecordedDirectory
const (
	recordedSchema = 2
	recordAnew     = "FASTQUEUE_TEST_RECORD"
	recordedHash   = "recorded-hash" // in the directory: the last entry and the replica's hash behind it
)

func recordedArchive(logStore string) string {
	return filepath.Join("testdata", "recorded", fmt.Sprintf("schema-%d-%s.tar.gz", recordedSchema, logStore))
}

// recordedAt is the time at which the directories were recorded, by their clock.
func recordedAt() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// openRecorded is a cluster of one node on a directory, at a time.
func openRecorded(t *testing.T, logStore, dir string, now time.Time) *testCluster {
	t.Helper()
	c := newTestCluster(t, logStore, 0, func(config *Config) {
		config.Wall = func() time.Time { return now }
		config.SegmentBytes = 64 << 10
	})
	c.nodes = append(c.nodes, &testNode{dir: dir})
	t.Cleanup(func() { c.stop(0) })
	c.start(0)
	return c
}

func TestRecordedDirectory(t *testing.T) {
	t.Parallel()
	logStores(t, func(t *testing.T, logStore string) {
		if os.Getenv(recordAnew) != "" {
			record(t, logStore)
		}
		dir := unpack(t, recordedArchive(logStore))
		replayRecorded(t, logStore, dir)
		c := openRecorded(t, logStore, dir, recordedAt().Add(time.Minute))
		c.leader()
		v := c.nodes[0].FSM().View()
		if u := v.User("ana"); u.GetRole() != "user" || u.GetPasswordHash() != "ana's" {
			t.Errorf("the user is %v", u)
		}
		names, _ := v.Queues("", 10)
		if len(names) != 2 || names[0].Name != "empty" || names[1].Name != "jobs" || names[1].Settings.VisibilityTimeoutS != 30 {
			t.Errorf("the queues are %v", names)
		}
		v.Close()
		if got := c.receive(0, "jobs", 10, 0); !slices.Equal(got, []string{"one", "three", "four"}) {
			t.Errorf("received %q", got) // the lease on one has ended, two was deleted
		}
		view := c.nodes[0].FSM().View()
		defer view.Close()
		if q := view.Queue("jobs"); q.Delayed != 1 || q.Leased != 3 || q.Ready != 0 {
			t.Errorf("the queue is %v", q)
		}
	})
}

// replayRecorded applies the log to nothing, and to the recorded state, which is older than the log. Both lead to the state
// that was recorded, by the hash over all results.
func replayRecorded(t *testing.T, logStore, dir string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join(dir, recordedHash))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := logstore.Open(filepath.Join(dir, logDir), logstore.Kind(logStore), logstore.Options{Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := logs.Close(); err != nil {
			t.Error(err)
		}
	}()
	state := filepath.Join(t.TempDir(), stateDir)
	if err := os.CopyFS(state, os.DirFS(filepath.Join(dir, stateDir))); err != nil {
		t.Fatal(err)
	}
	for from, path := range map[string]string{"nothing": filepath.Join(t.TempDir(), stateDir), "the state": state} {
		f, err := fsm.Open(path, fsm.Options{Fatal: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatal(err)
		}
		if from == "the state" && (f.Applied() == 0 || strings.HasPrefix(string(want), fmt.Sprintf("%d ", f.Applied()))) {
			t.Errorf("the state is at entry %d and was recorded at %s: there is nothing to replay", f.Applied(), want)
		}
		replay(t, logs, f)
		if got := describeState(f); got != string(want) {
			t.Errorf("the log applied to %s leads to %q, want %q", from, got, want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// replay applies what raft would hand over.
func replay(t *testing.T, logs raft.LogStore, f *fsm.FSM) {
	t.Helper()
	last, err := logs.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	for i := f.Applied() + 1; i <= last; i++ {
		l := &raft.Log{}
		if err := logs.GetLog(i, l); err != nil {
			t.Fatal(err)
		}
		if l.Type == raft.LogCommand || l.Type == raft.LogConfiguration {
			f.ApplyBatch([]*raft.Log{l})
		}
	}
}

func describeState(f *fsm.FSM) string {
	return fmt.Sprintf("%d %016x", f.Applied(), f.NewestHash().Hash)
}

// record makes a directory, with a state that a crash has left behind the log, and packs it.
func record(t *testing.T, logStore string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name(0))
	c := openRecorded(t, logStore, dir, recordedAt())
	c.propose(0, &fsmpb.Command{Op: &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: "ana", PasswordHash: "ana's"}}})
	c.createQueue(0, "jobs")
	c.createQueue(0, "empty")
	c.send(0, "jobs", "one")
	c.send(0, "jobs", "two")
	if got := c.receive(0, "jobs", 1, 0); len(got) != 1 {
		t.Fatalf("received %q", got)
	}
	c.stop(0)
	older := filepath.Join(t.TempDir(), stateDir)
	if err := os.CopyFS(older, os.DirFS(filepath.Join(dir, stateDir))); err != nil {
		t.Fatal(err)
	}
	c.start(0)
	c.leader()
	c.send(0, "jobs", "three")
	c.deleteSecond()
	delayed := sendCommand("jobs", "later")
	delayed.GetSendMessage().Messages[0].DelayS = 900
	c.propose(0, delayed)
	c.send(0, "jobs", "four")
	c.stop(0)

	state := filepath.Join(dir, stateDir)
	f, err := fsm.Open(state, fsm.Options{Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(filepath.Join(dir, recordedHash), []byte(describeState(f)), 0o600)
	err = errors.Join(err, f.Close(), os.RemoveAll(state), os.Rename(older, state))
	if err != nil {
		t.Fatal(err)
	}
	pack(t, dir, recordedArchive(logStore))
}

// deleteSecond receives the message two and deletes it.
func (c *testCluster) deleteSecond() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	result, err := c.nodes[0].Receive(ctx, receiveCommand("jobs", 1), 0)
	if err != nil || len(result.GetReceive().GetDeliveries()) != 1 {
		c.t.Fatalf("receive: %v, %v", result, err)
	}
	d := result.GetReceive().Deliveries[0]
	v := c.nodes[0].FSM().View()
	id := uint64(0)
	for v.Message(id, d.Sequence) == nil { // nobody else has to know a queue's number
		id++
	}
	v.Close()
	c.propose(0, &fsmpb.Command{Op: &fsmpb.Command_DeleteMessage{DeleteMessage: &fsmpb.DeleteMessage{
		Queue: "jobs", Receipts: []*fsmpb.Receipt{{Queue: id, Sequence: d.Sequence, Delivery: d.Delivery}},
	}}})
}

func pack(t *testing.T, dir, archive string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "LOCK" {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o600, Size: int64(len(b)), ModTime: recordedAt()}); err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
	if err := errors.Join(err, w.Close(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// unpack returns a directory with what an archive holds.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		b, err := io.ReadAll(r)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
