package cluster

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// slowStore is a log whose appends can be held up, or fail.
type slowStore struct {
	logstore.Store
	held atomic.Pointer[chan error]
}

// hold holds up appends until what it returns is called with what becomes of them.
func (s *slowStore) hold() (release func(error)) {
	held := make(chan error)
	s.held.Store(&held)
	return func(err error) {
		s.held.Store(nil)
		held <- err
	}
}

func (s *slowStore) StoreLogs(logs []*raft.Log) error {
	if held := s.held.Load(); held != nil {
		if err := <-*held; err != nil {
			return err
		}
	}
	return s.Store.StoreLogs(logs)
}

// onSlowDisk runs a test on the log of a node that leads or does not.
func onSlowDisk(t *testing.T, leads bool, test func(*testing.T, *leaderLog, *slowStore)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, err := logstore.Open(t.TempDir(), logstore.WAL, logstore.Options{
			Logger: hclog.NewNullLogger(), Fatal: func(err error) { t.Error(err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		slow := &slowStore{Store: store}
		l := newLeaderLog(slow, func() bool { return leads })
		test(t, l, slow)
	})
}

func entries(from, to uint64) (logs []*raft.Log) {
	for i := from; i <= to; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: []byte{byte(i)}})
	}
	return logs
}

// started runs f and returns when it has returned or waits for something.
func started(f func() error) (done *atomic.Bool, result *error) {
	done, result = new(atomic.Bool), new(error)
	go func() {
		*result = f()
		done.Store(true)
	}()
	synctest.Wait()
	return done, result
}

func TestAFollowerHasWrittenWhenItAnswers(t *testing.T) {
	onSlowDisk(t, false, func(t *testing.T, l *leaderLog, disk *slowStore) {
		release := disk.hold()
		done, _ := started(func() error { return l.StoreLogs(entries(1, 2)) })
		if done.Load() {
			t.Error("entries count as stored before they are on the disk")
		}
		release(nil)
		synctest.Wait()
		if last, err := l.LastIndex(); !done.Load() || last != 2 || err != nil {
			t.Errorf("after the write: %t, last entry %d, %v", done.Load(), last, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatALeaderWritesIsReadAndNothingIsWrittenBefore(t *testing.T) {
	onSlowDisk(t, true, func(t *testing.T, l *leaderLog, disk *slowStore) {
		if err := l.StoreLogs(entries(1, 2)); err != nil {
			t.Fatal(err)
		}
		if err := l.settle(); err != nil {
			t.Fatal(err)
		}
		release := disk.hold()
		if done, _ := started(func() error { return l.StoreLogs(entries(3, 4)) }); !done.Load() {
			t.Fatal("a leader waits for its disk")
		}
		if got := l.written(); got != 2 {
			t.Errorf("on the disk up to %d, want 2", got)
		}
		for i := uint64(1); i <= 4; i++ {
			var got raft.Log
			if err := l.GetLog(i, &got); err != nil || got.Index != i || len(got.Data) != 1 || got.Data[0] != byte(i) {
				t.Errorf("entry %d: %+v, %v", i, got, err)
			}
		}
		if err := l.GetLog(5, new(raft.Log)); !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("entry 5: %v", err)
		}
		if done, err := started(func() error { return l.await(2) }); !done.Load() || *err != nil {
			t.Errorf("what is on the disk is waited for (%v)", *err)
		}
		last := uint64(0)
		waiting := map[string]func() error{
			"a vote":           func() error { return l.Set([]byte("LastVoteCand"), []byte("n1")) },
			"a term":           func() error { return l.SetUint64([]byte("CurrentTerm"), 2) },
			"the last index":   func() (err error) { last, err = l.LastIndex(); return err },
			"Apply":            func() error { return l.await(3) },
			"a deletion of it": func() error { return l.DeleteRange(5, math.MaxUint64) }, // of nothing, so that the order is free
		}
		done, results := map[string]*atomic.Bool{}, map[string]*error{}
		for what, f := range waiting {
			if done[what], results[what] = started(f); done[what].Load() {
				t.Errorf("%s does not wait for the entries before it", what)
			}
		}
		release(nil)
		synctest.Wait()
		for what := range waiting {
			if !done[what].Load() || *results[what] != nil {
				t.Errorf("%s after the write: done %t, %v", what, done[what].Load(), *results[what])
			}
		}
		if got := l.written(); got != math.MaxUint64 || last != 4 {
			t.Errorf("after the write: on the disk up to %d, last entry %d", got, last)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The first entry of a term must be on the disk before what is below it may count as committed: a majority may have that from
// an earlier term, and this node, if it stopped, would vote for one that has another entry in its place.
func TestALeaderHasWrittenTheFirstEntryOfItsTerm(t *testing.T) {
	onSlowDisk(t, true, func(t *testing.T, l *leaderLog, disk *slowStore) {
		release := disk.hold()
		done, result := started(func() error { return l.StoreLogs([]*raft.Log{{Index: 1, Term: 2, Type: raft.LogNoop}}) })
		if done.Load() {
			t.Error("a term begins before its first entry is on the disk")
		}
		release(nil)
		synctest.Wait()
		if !done.Load() || *result != nil {
			t.Errorf("after the write: done %t, %v", done.Load(), *result)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestALeaderTakesNoMoreThanOneWriteAhead(t *testing.T) {
	onSlowDisk(t, true, func(t *testing.T, l *leaderLog, disk *slowStore) {
		release := disk.hold()
		if err := l.StoreLogs(entries(1, 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		done, result := started(func() error { return l.StoreLogs(entries(2, 2)) })
		if done.Load() {
			t.Error("the second write did not wait for the first")
		}
		release(nil)
		synctest.Wait()
		if !done.Load() || *result != nil {
			t.Errorf("second write: done %t, %v", done.Load(), *result)
		}
		if err := l.Close(); err != nil { // waits for the second
			t.Error(err)
		}
	})
}

func TestWhatALeaderCanNotWriteIsNotApplied(t *testing.T) {
	onSlowDisk(t, true, func(t *testing.T, l *leaderLog, disk *slowStore) {
		release, full := disk.hold(), errors.New("disk full")
		if err := l.StoreLogs(entries(1, 2)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		release(full)
		machine := writtenFSM{log: l} // has no state machine, and would fail if it asked it
		if results := machine.ApplyBatch(entries(1, 2)); len(results) != 2 || results[0] != nil || results[1] != nil {
			t.Errorf("results %v of entries that were not written", results)
		}
		if got := l.written(); got != 0 {
			t.Errorf("on the disk up to %d", got)
		}
		if err := l.StoreLogs(entries(3, 3)); !errors.Is(err, full) {
			t.Errorf("the next entries: %v", err)
		}
		if err := l.Close(); !errors.Is(err, full) {
			t.Errorf("close: %v", err)
		}
	})
}

// The followers write an entry while the leader still does, and nobody takes it for committed.
func TestNobodyLearnsOfWhatTheLeaderIsWriting(t *testing.T) {
	disks := map[string]*slowStore{}
	virtual(t, "wal", 3, func(c *Config) {
		node := c.AdvertiseCluster
		c.wrapLog = func(s logstore.Store) logstore.Store {
			disks[node] = &slowStore{Store: s}
			return disks[node]
		}
	}, func(c *virtualCluster) {
		c.lead(0)
		c.createQueue(0, "q")
		indexes := func(of func(*replica) uint64) (all [3]uint64) {
			for i := range all {
				all[i] = of(c.nodes[i].replica.Load())
			}
			return all
		}
		applied := func(r *replica) uint64 { return r.fsm.Applied() }
		last := func(r *replica) uint64 { return r.raft.LastIndex() }
		c.await("a quiet cluster", func() bool {
			a, l := indexes(applied), indexes(last)
			return a == l && a[0] == a[1] && a[0] == a[2]
		})
		before := indexes(applied)
		release := disks[address(0)].hold()
		answered := make(chan *fsmpb.Result, 1)
		go func() { answered <- c.propose(1, sendCommand("q", "body")) }()
		c.await("the entry in the followers' logs", func() bool { return indexes(last) == [3]uint64{before[0] + 1, before[1] + 1, before[2] + 1} })
		time.Sleep(time.Second) // a hundred times that after which followers are told of a commit
		if got := indexes(applied); got != before {
			t.Errorf("applied up to %v before the leader has written; it was %v", got, before)
		}
		select {
		case r := <-answered:
			t.Errorf("answered before the leader has written: %v", r)
		default:
		}
		release(nil)
		if r := <-answered; r.Error != nil {
			t.Errorf("send: %v", r.Error)
		}
		c.await("the entry in all states", func() bool { return indexes(applied) == indexes(last) })
	})
}
