package cluster

import (
	"errors"
	"math"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
)

// leaderLog has a leader write its entries while the followers write them, as in section 10.2.1 of the raft thesis; raft by
// itself sends nothing before the leader's own write has ended. On a leader StoreLogs returns at once, and raft counts as
// stored here what is only being written. Nobody may see what follows from that, so until the write has ended
//
//   - the entries are not applied, and nobody is answered (writtenFSM);
//   - no follower is told that they are committed (steadyTransport): it would apply them;
//   - no term and no vote is written. Whoever leads next has a newer term, so that this node confirms its entries to it
//     only when they are on its disk;
//   - raft's next entries wait.
//
// If the node stops before, the entries are as if it had never got them. The first entry of a term, raft's LogNoop, is
// awaited by StoreLogs: what earlier terms left below it counts as committed only with an entry of this term that a majority
// has on its disks (figure 8 of the raft paper).
type leaderLog struct {
	logstore.Store
	leads func() bool // whether raft says so now

	mu      sync.Mutex
	changed *sync.Cond  // the write ended; uses mu
	pending []*raft.Log // being written
	failed  error       // of the write of pending: the store has told its Fatal
}

func newLeaderLog(s logstore.Store, leads func() bool) *leaderLog {
	l := &leaderLog{Store: s, leads: leads}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// StoreLog implements raft.LogStore.
func (l *leaderLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (l *leaderLog) StoreLogs(logs []*raft.Log) error {
	if err := l.settle(); err != nil {
		return err
	}
	if len(logs) == 0 || logs[0].Type == raft.LogNoop || !l.leads() {
		return l.Store.StoreLogs(logs)
	}
	l.mu.Lock()
	l.pending = logs
	l.mu.Unlock()
	go l.write(logs)
	return nil
}

func (l *leaderLog) write(logs []*raft.Log) {
	err := l.Store.StoreLogs(logs)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed = err; err == nil {
		l.pending = nil
	}
	l.changed.Broadcast()
}

// await returns when the entries up to index are on the disk, or an error if they never will be.
func (l *leaderLog) await(index uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.failed == nil && l.missing(index) {
		l.changed.Wait()
	}
	if l.missing(index) {
		return l.failed
	}
	return nil
}

// missing tells whether some entry up to index is not on the disk. The caller holds the lock.
func (l *leaderLog) missing(index uint64) bool {
	return len(l.pending) > 0 && l.pending[0].Index <= index
}

// settle waits until nothing is being written.
func (l *leaderLog) settle() error { return l.await(math.MaxUint64) }

// written is an index up to which the disk has all entries of the log.
func (l *leaderLog) written() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > 0 {
		return l.pending[0].Index - 1
	}
	return math.MaxUint64
}

// GetLog implements raft.LogStore: what is being written is sent to the followers.
func (l *leaderLog) GetLog(index uint64, log *raft.Log) error {
	l.mu.Lock()
	if l.missing(index) && index-l.pending[0].Index < uint64(len(l.pending)) {
		*log = *l.pending[index-l.pending[0].Index]
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	return l.Store.GetLog(index, log)
}

// LastIndex implements raft.LogStore.
func (l *leaderLog) LastIndex() (uint64, error) {
	if err := l.settle(); err != nil {
		return 0, err
	}
	return l.Store.LastIndex()
}

// DeleteRange implements raft.LogStore.
func (l *leaderLog) DeleteRange(from, to uint64) error {
	if err := l.await(to); err != nil {
		return err
	}
	return l.Store.DeleteRange(from, to)
}

// Set implements raft.StableStore.
func (l *leaderLog) Set(key, val []byte) error {
	if err := l.settle(); err != nil {
		return err
	}
	return l.Store.Set(key, val)
}

// SetUint64 implements raft.StableStore.
func (l *leaderLog) SetUint64(key []byte, val uint64) error {
	if err := l.settle(); err != nil {
		return err
	}
	return l.Store.SetUint64(key, val)
}

// Close implements io.Closer.
func (l *leaderLog) Close() error {
	failed := l.settle()
	return errors.Join(failed, l.Store.Close())
}

// writtenFSM applies what is on this node's disk.
type writtenFSM struct {
	measuredFSM
	log *leaderLog
}

// ApplyBatch implements raft.BatchingFSM. What can't be written has no results: nobody knows what becomes of it, and the
// process is about to end.
func (f writtenFSM) ApplyBatch(logs []*raft.Log) []any {
	if err := f.log.await(logs[len(logs)-1].Index); err != nil {
		return make([]any, len(logs))
	}
	return f.measuredFSM.ApplyBatch(logs)
}
