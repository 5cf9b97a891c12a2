package store

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

func TestInstallTakesPositionFromRaft(t *testing.T) {
	from := openStore(t, vfs.NewMem())
	from.apply(7, "a", "1")
	_, stream := from.stream()

	calls := 0
	fs := vfs.NewMem()
	to := openStore(t, fs, func(o *Options) { o.OnInstall = func() { calls++ } })
	to.apply(3, "old", "x")
	want := Position{Index: 50, Term: 9, Configuration: members("x", "y", "z"), ConfigurationIndex: 1}
	if err := to.install(want, stream); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		to.wantState(50, map[string]string{"a": "1"})
		if got := to.Position(); !reflect.DeepEqual(got, want) {
			t.Errorf("position %+v, want %+v", got, want)
		}
		if got := to.Installed(); got != (Mark{50, 9}) {
			t.Errorf("installed mark %+v", got)
		}
	}
	check()
	if calls != 1 {
		t.Errorf("OnInstall was called %d times", calls)
	}
	if got := strings.Join(to.names(), " "); got != "LOCK g-00000002" {
		t.Errorf("after the install the directory holds %s", got)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	to = openStore(t, fs)
	check()
	to.apply(20_000, "b", "2")
	to.wantState(20_000, map[string]string{"a": "1", "b": "2"})
}

func TestSnapshotListAndStreamAgree(t *testing.T) {
	f := openStore(t, vfs.NewMem())
	f.apply(1, "a", "1")
	f.apply(2, "b", "2")
	meta, stream := f.stream()
	if meta.Index != 2 || meta.Term != 1 || meta.ConfigurationIndex != 1 {
		t.Errorf("described as %+v", meta)
	}
	if got := strings.Join(f.names(), " "); got != "LOCK g-00000001" {
		t.Errorf("after the stream was closed the directory holds %s", got)
	}
	if got := f.Stats(); got.BytesSent != uint64(len(stream)) || got.Flushes != 1 {
		t.Errorf("stats %+v for a stream of %d bytes", got, len(stream))
	}
}

// Raft's three goroutines wait for each other if Restore waits for a snapshot.
func TestRestoreWaitsForNobody(t *testing.T) {
	from := openStore(t, vfs.NewMem())
	from.apply(9, "a", "new")
	_, stream := from.stream()

	to := openStore(t, vfs.NewMem())
	to.apply(1, "a", "old")
	snapshot, err := to.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	reader := to.NewReader()
	_, leaving, err := to.Snapshots().Open(liveID)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- to.install(at(9), stream) }()
	if err := await(t, "end of Restore", done); err != nil {
		t.Fatal(err)
	}
	to.wantState(9, map[string]string{"a": "new"})
	if v, ok := reader.Get([]byte("a")); !ok || string(v) != "old" {
		t.Errorf("the reader of the old state sees %q, %v", v, ok)
	}
	if _, err := io.Copy(io.Discard, leaving); err != nil {
		t.Errorf("read of the old checkpoint: %v", err)
	}
	local, err := to.Snapshots().Create(raft.SnapshotVersionMax, 1, 1, raft.Configuration{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Persist(local); !errors.Is(err, errReplaced) {
		t.Errorf("Persist of the old state: %v", err)
	}
	if err := errors.Join(local.Cancel(), leaving.Close()); err != nil {
		t.Error(err)
	}
	snapshot.Release()
	if got := strings.Join(to.names(), " "); got != "LOCK g-00000001 g-00000002" {
		t.Errorf("while the reader lives the directory holds %s", got)
	}
	reader.Close()
	if got := strings.Join(to.names(), " "); got != "LOCK g-00000002" {
		t.Errorf("after the last reader the directory holds %s", got)
	}
}

func TestPersistIsAFlush(t *testing.T) {
	fs := vfs.NewCrashableMem()
	f := openStore(t, fs, func(o *Options) { o.Now = time.Now })
	f.apply(4, "a", "1")
	snapshot, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Release()
	sk, err := f.Snapshots().Create(raft.SnapshotVersionMax, 4, 1, members("a", "b"), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(snapshot.Persist(sk), sk.Close()); err != nil {
		t.Fatal(err)
	}
	if sk.ID() != liveID {
		t.Errorf("the snapshot is called %q", sk.ID())
	}
	if got := f.Stats(); got.Flushes != 1 || got.FlushTime <= 0 || got.LastFlush != got.FlushTime {
		t.Errorf("stats %+v after one flush", got)
	}
	f.apply(5, "a", "2")
	openStore(t, fs.CrashClone(vfs.CrashCloneCfg{})).wantState(4, map[string]string{"a": "1"})
}

func TestInstallOlderThanTheStateChangesNothing(t *testing.T) {
	from := openStore(t, vfs.NewMem())
	from.apply(5, "a", "old")
	_, stream := from.stream()

	to := openStore(t, vfs.NewMem())
	to.apply(6, "a", "newer")
	if err := to.install(at(5), stream); !errors.Is(err, ErrStream) {
		t.Errorf("a late copy was not refused: %v", err)
	}
	// The same, but the node applies entry 8 while the state at 7 is on its way.
	rc, err := to.receive(at(7), stream)
	if err != nil {
		t.Fatal(err)
	}
	to.apply(8, "a", "newest")
	if err := errors.Join(to.Restore(rc), rc.Close()); err != nil {
		t.Fatal(err)
	}
	to.wantState(8, map[string]string{"a": "newest"})
	if got := strings.Join(to.names(), " "); got != "LOCK g-00000001" {
		t.Errorf("the directory holds %s", got)
	}
}

func TestRestoreRefusesWhatItDidNotReceive(t *testing.T) {
	f := openStore(t, vfs.NewMem())
	f.apply(1, "a", "1")
	_, rc, err := f.Snapshots().Open(liveID)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if err := f.Restore(rc); err == nil {
		t.Error("restored its own checkpoint")
	}
	if _, _, err := f.Snapshots().Open("install-1-1-1"); err == nil {
		t.Error("opened a snapshot that does not exist")
	}
	f.wantState(1, map[string]string{"a": "1"})
}

// fakeLog answers Installed.
type fakeLog struct {
	reason string
	err    error
	told   []Mark
}

func (l *fakeLog) Installed(index, term uint64) (string, error) {
	l.told = append(l.told, Mark{index, term})
	return l.reason, l.err
}

func TestRestartComesAfterTheInstall(t *testing.T) {
	from := openStore(t, vfs.NewMem())
	from.apply(5, "a", "1")
	_, stream := from.stream()

	fs := vfs.NewCrashableMem()
	log := &fakeLog{reason: "the log holds another entry"}
	var reason string
	var onDisk *vfs.MemFS
	to := openStore(t, fs, func(o *Options) {
		o.Log = log
		o.Restart = func(r string) { reason, onDisk = r, fs.CrashClone(vfs.CrashCloneCfg{}) }
	})
	if err := to.install(at(5), stream); !errors.Is(err, ErrRestart) {
		t.Errorf("Restore answered %v", err)
	}
	if reason != log.reason || !reflect.DeepEqual(log.told, []Mark{{5, 1}}) {
		t.Errorf("restart for %q, the log was told %v", reason, log.told)
	}
	openStore(t, onDisk).wantState(5, map[string]string{"a": "1"})
}

// The owner looks for due work after a commit. What that scan needed must not outlive an install: the next batch is one
// of the new state.
func TestABatchThatWasScannedAfterItsCommitOutlivesNoInstall(t *testing.T) {
	from := openStore(t, vfs.NewMem())
	from.apply(9, "a", "new")
	_, stream := from.stream()

	to := openStore(t, vfs.NewMem())
	b := to.NewBatch()
	b.Set([]byte("a"), []byte("old"))
	b.Commit(at(1))
	b.Scan([]byte("a"), []byte("z"), func(_, _ []byte) bool { return true })
	if err := to.install(at(9), stream); err != nil {
		t.Fatal(err)
	}
	to.apply(10, "b", "1")
	to.wantState(10, map[string]string{"a": "new", "b": "1"})
}
