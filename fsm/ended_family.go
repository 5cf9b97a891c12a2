package fsm

import (
	"encoding/binary"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// endedFamilies are the families of refresh tokens that ended early and whose access tokens would still be valid. Nearly
// every command asks for one, so as many as max are known without reading; the answer does not depend on how many.
type endedFamilies struct {
	max   int
	known map[uint64]struct{}
	more  int // records in the store that are not in known
}

func (e *endedFamilies) add(family uint64) {
	if len(e.known) < e.max {
		e.known[family] = struct{}{}
		return
	}
	e.more++
}

func (e *endedFamilies) remove(family uint64) {
	if _, ok := e.known[family]; ok {
		delete(e.known, family)
		return
	}
	e.more--
}

func (s *state) loadEnded(r scanner) {
	lower, upper := store.Ended()
	r.Scan(lower, upper, func(key, _ []byte) bool {
		s.ended.add(store.EndedFamily(key))
		return true
	})
}

func (s *state) isEnded(family uint64) bool {
	if family == 0 {
		return false
	}
	if _, ok := s.ended.known[family]; ok || s.ended.more == 0 {
		return ok
	}
	_, ok := s.batch.Get(store.EndedKey(family))
	return ok
}

// endFamily ends a log-in before its time, and with it the access tokens that were given with it: the last of them is as
// old as the last refresh.
func (s *state) endFamily(f *fsmpb.TokenFamily) {
	s.dropFamily(f)
	due := store.Due{At: f.RotatedMs + AccessTokenLife.Milliseconds(), Kind: store.DueEnded, Owner: f.User, Sequence: f.Id}
	if due.At <= s.now {
		return
	}
	s.batch.Set(store.EndedKey(f.Id), binary.BigEndian.AppendUint64(nil, uint64(due.At)))
	s.ended.add(f.Id)
	s.addDue(due)
}

// endedDue forgets a family whose access tokens have all expired.
func (s *state) endedDue(d store.Due) {
	s.batch.Delete(store.EndedKey(d.Sequence))
	s.ended.remove(d.Sequence)
}
