package fsm

import (
	"fmt"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// Remembered results answer a command that comes again as it was answered the first time, instead of carrying it out a
// second time. One table serves whoever repeats commands: members, whose sessions number them (session.go), and clients
// with idempotency keys (idempotency_key.go). It is divided into scopes; each is a list, oldest record first, that is
// bounded and whose records are forgotten after RememberFor by advance. What a forgotten record means is the scope's own
// affair.

// scope is the working copy of one scope.
type scope struct {
	rec     *fsmpb.Scope
	dirty   bool
	session *session // nil: idempotency keys of a user, whose results are read from the store
}

func (c *scope) empty() bool { return c.rec.First == c.rec.Next }

func (s *state) rememberScope(rec *fsmpb.Scope) *scope {
	c := &scope{rec: rec}
	s.scopes[rec.Id] = c
	if rec.Member != "" {
		c.session = &session{answers: map[uint64]answer{}}
		s.sessions[sessionName{rec.Member, rec.Lane}] = c
	}
	return c
}

// addScope begins a scope. Ids of users and of sessions are counted together, so they are different ones.
func (s *state) addScope(rec *fsmpb.Scope) *scope {
	c := s.rememberScope(rec)
	s.touchScope(c)
	return c
}

func (s *state) loadScopes(r scanner) (err error) {
	lower, upper := store.Scopes()
	r.Scan(lower, upper, func(key, value []byte) bool {
		rec := &fsmpb.Scope{}
		if err = decode(value, rec); err != nil {
			err = fmt.Errorf("scope record %q: %w", key, err)
			return false
		}
		s.rememberScope(rec)
		return true
	})
	for _, c := range s.sessions {
		if err == nil {
			err = c.loadResults(r)
		}
	}
	return err
}

// touchScope has the record written at the end of the batch.
func (s *state) touchScope(c *scope) {
	if !c.dirty {
		c.dirty = true
		s.dirtyScopes = append(s.dirtyScopes, c)
	}
}

func (s *state) flushScopes() {
	for _, c := range s.dirtyScopes {
		c.dirty = false
		if s.scopes[c.rec.Id] == c { // not dropped meanwhile
			s.batch.Set(store.ScopeKey(c.rec.Id), s.encode(c.rec))
		}
	}
	s.dirtyScopes = s.dirtyScopes[:0]
}

// remember adds the youngest record of a scope and returns its place.
func (s *state) remember(c *scope, results ...*fsmpb.RememberedResult) (place uint64) {
	s.touchScope(c)
	place = c.rec.Next
	c.rec.Next++
	record := &fsmpb.RememberedResults{BornMs: s.now, Results: results}
	s.batch.Add(store.ResultKey(c.rec.Id, place), s.encode(record))
	if c.rec.DueMs == 0 {
		s.expectDue(c, s.now)
	}
	return place
}

// expectDue has advance look at the scope when a record born at a time is to be forgotten.
func (s *state) expectDue(c *scope, bornMS int64) {
	s.touchScope(c)
	c.rec.DueMs = bornMS + RememberFor.Milliseconds()
	s.addDue(resultDueOf(c))
}

func resultDueOf(c *scope) store.Due {
	return store.Due{At: c.rec.DueMs, Kind: store.DueResult, Owner: c.rec.Id}
}

// oldest reads the first record of a scope that is not empty.
func (s *state) oldest(c *scope) *fsmpb.RememberedResults {
	key := store.ResultKey(c.rec.Id, c.rec.First)
	v, ok := s.batch.Get(key)
	if !ok {
		s.corrupt(fmt.Errorf("the remembered results under %q are missing", key))
	}
	record := &fsmpb.RememberedResults{}
	s.decode(key, v, record)
	return record
}

// forgetOldest drops the first record of a scope that is not empty.
func (s *state) forgetOldest(c *scope) {
	s.touchScope(c)
	if c.session == nil {
		for _, r := range s.oldest(c).Results {
			s.batch.Delete(store.ResultOfKey(c.rec.Id, r.Name))
		}
	} else {
		c.forgetNumbers()
	}
	s.batch.Delete(store.ResultKey(c.rec.Id, c.rec.First))
	c.rec.First++
}

// resultDue forgets the oldest record of a scope if its time is over, and looks again when the next one's is. The time
// may have been that of a record which is gone already.
func (s *state) resultDue(d store.Due) {
	c := s.scopes[d.Owner]
	if c == nil || c.rec.DueMs != d.At {
		return
	}
	if !c.empty() && s.oldest(c).BornMs+RememberFor.Milliseconds() <= s.now {
		s.forgetOldest(c)
	}
	s.touchScope(c)
	c.rec.DueMs = 0
	switch {
	case !c.empty():
		s.expectDue(c, s.oldest(c).BornMs)
	case c.session == nil:
		s.dropScope(c)
	}
}

// dropScope forgets everything of a scope; nil is none.
func (s *state) dropScope(c *scope) {
	if c == nil {
		return
	}
	id := c.rec.Id
	s.batch.DeleteRange(store.Results(id))
	s.batch.DeleteRange(store.ResultsOf(id))
	s.batch.Delete(store.ScopeKey(id))
	if c.rec.DueMs != 0 {
		s.removeDue(resultDueOf(c))
	}
	delete(s.scopes, id)
	if c.session != nil {
		delete(s.sessions, sessionName{c.rec.Member, c.rec.Lane})
	}
}
