package logstore

import (
	"sync"

	"github.com/hashicorp/raft"
)

const (
	recentEntries = 1024
	recentBytes   = 8 << 20
)

// recent keeps the youngest entries of the log in memory. Nearly all reads are of those: a leader reads what it has just
// appended once for each follower, and a follower to apply it.
//
// It learns of entries only when they are on disk, and of a deletion before that begins, so that it never knows more than
// the disk. Raft deletes only what it has finished to append. Data is shared with whoever appended an entry and whoever
// reads it: nobody may change it.
type recent struct {
	limit int // of bytes of data
	mu    sync.RWMutex
	ring  []raft.Log // entry i is at i modulo its length
	first uint64     // held are first to next-1, at the end of the log
	next  uint64
	bytes int
}

func newRecent(entries, bytes int) *recent {
	return &recent{limit: bytes, ring: make([]raft.Log, entries)}
}

// get reads an entry as the backend and unseal would, if it is held.
func (r *recent) get(index uint64, log *raft.Log) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if index < r.first || index >= r.next {
		return false
	}
	*log = *r.at(index)
	return true
}

// add takes sealed entries that the backend has appended.
func (r *recent) add(sealed []*raft.Log) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sealed[0].Index != r.next { // the log is new here, or was emptied
		r.drop(r.next)
		r.first, r.next = sealed[0].Index, sealed[0].Index
	}
	for _, l := range sealed {
		if r.next-r.first == uint64(len(r.ring)) {
			r.drop(r.first)
		}
		kept := r.at(r.next)
		*kept = *l
		kept.Extensions = withoutChecksum(l.Extensions)
		r.next++
		for r.bytes += entryBytes(kept); r.bytes > r.limit; {
			r.drop(r.first)
		}
	}
}

// forget drops the entries up to last, which are about to be deleted. If those are the log's tail, the ones in front of
// it go with it: that is rare, and they are on disk.
func (r *recent) forget(last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(last)
}

// drop drops the entries up to last. The caller holds the lock.
func (r *recent) drop(last uint64) {
	for ; r.first < r.next && r.first <= last; r.first++ {
		l := r.at(r.first)
		r.bytes -= entryBytes(l)
		*l = raft.Log{}
	}
}

func (r *recent) at(index uint64) *raft.Log { return &r.ring[index%uint64(len(r.ring))] }

func entryBytes(l *raft.Log) int { return len(l.Data) + len(l.Extensions) }
