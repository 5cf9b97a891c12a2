package fsm

import (
	"github.com/fastqueue/fastqueue/fsm/store"
)

// advance moves the clock to the time of an entry and does what became due: leases end, delays are over, log-ins expire.
// It runs first for every entry and is the only place where time has an effect. It does at most maxDuePerEntry items, in
// order of (due, kind, owner, sequence), so that a million leases that end at once do not stop the cluster; what is left
// over is found in NextDue, and the leader proposes the next tick at once.
func (s *state) advance(now int64) {
	s.now = max(s.now, now)
	for range maxDuePerEntry {
		d, ok := s.firstDue()
		if !ok || d.At > s.now {
			return
		}
		s.due.pop()
		s.batch.Delete(d.Key())
		switch d.Kind {
		case store.DueMessage:
			s.messageDue(d)
		case store.DueFamily:
			s.familyDue(d)
		case store.DueEnded:
			s.endedDue(d)
		case store.DueResult:
			s.resultDue(d)
		case store.DueClock: // done: the clock has moved on
		}
	}
}

func (s *state) firstDue() (store.Due, bool) {
	return s.due.first(func(from store.Due, max int) []store.Due {
		items := make([]store.Due, 0, max)
		s.batch.Scan(from.Key(), store.DueEnd(), func(key, _ []byte) bool {
			items = append(items, store.ParseDue(key))
			return len(items) < max
		})
		return items
	})
}

// addDue notes work that is not noted yet.
func (s *state) addDue(d store.Due) {
	s.batch.Add(d.Key(), nil)
	s.due.insert(d)
}

func (s *state) removeDue(d store.Due) {
	s.batch.Delete(d.Key())
	s.due.remove(d)
}

// messageDue makes a message ready whose lease or delay has ended. The key was a hint: the queue may be gone.
func (s *state) messageDue(d store.Due) {
	q := s.byID[d.Owner]
	if q == nil {
		return
	}
	key := store.UnreadyKey(d.Owner, d.Sequence)
	v, ok := s.batch.Get(key)
	if !ok {
		return
	}
	if m := s.decodeDelivery(key, v); m.until == d.At {
		s.unreadyToReady(q, d.Sequence, m)
	}
}

// familyDue ends a log-in that was not refreshed in time.
func (s *state) familyDue(d store.Due) {
	f := s.family(d.Owner, d.Sequence)
	if f != nil && familyDeadline(f) == d.At {
		s.dropFamily(f)
	}
}
