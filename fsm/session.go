package fsm

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// A session numbers the commands of one process of a member. When that process does not learn what became of a command
// (the leader died with the answer) it sends it again, to the next leader, under the same number. So that this has no
// second effect, whichever of the copies is applied first and however late the others come:
//
//   - the result of a number is remembered until the member says that no lower number is still open, and a number that
//     is remembered is answered and not applied;
//   - a number that is not remembered and below the floor is stale and not applied. The floor rises above every number
//     that is forgotten.
//
// This is the exactly-once scheme of the raft thesis, section 6.3, with sessions that never expire by themselves.

// sessionName is whose session it is. A member may have one in each lane.
type sessionName struct {
	member string
	lane   uint32
}

// session is the working copy of a session's remembered results.
type session struct {
	answers map[uint64]answer // by number
	records []sessionRecord   // oldest first, as under store.ResultKey
}

// answer is one remembered result.
type answer struct {
	encoded []byte
	fresh   *fsmpb.Result // instead, while the entry that made it is being applied
}

// sessionRecord is what one log entry added.
type sessionRecord struct {
	numbers []uint64
	highest uint64
}

// numberedCommand is a command of the entry being applied whose result will be remembered.
type numberedCommand struct {
	place  int // in the entry
	scope  *scope
	number uint64
}

// applyRegisterSession begins a session, unless this is a copy of the command that began it.
func (s *state) applyRegisterSession(c *fsmpb.RegisterSession) *fsmpb.Result {
	if _, ok := s.batch.Get(store.MemberKey(c.Member)); !ok || c.Lane >= MaxLanes {
		return refused(CodeNoSession, "There is no lane %d of a member %q.", c.Lane, c.Member)
	}
	present := s.sessions[sessionName{c.Member, c.Lane}]
	if present == nil || present.rec.Nonce != c.Nonce {
		s.dropScope(present)
		present = s.addScope(&fsmpb.Scope{Id: s.newID(), Member: c.Member, Lane: c.Lane, Nonce: c.Nonce})
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Session{Session: &fsmpb.RegisteredSession{Epoch: present.rec.Id}}}
}

// endSessions forgets the sessions of a member that was removed.
func (s *state) endSessions(member string) {
	for lane := range uint32(MaxLanes) {
		s.dropScope(s.sessions[sessionName{member, lane}])
	}
}

// applyOnce applies a command unless it has come before: then it answers as it did.
func (s *state) applyOnce(place int, c *fsmpb.Command) *fsmpb.Result {
	if c.Session == nil {
		return s.applyCommand(c)
	}
	number, scope := c.Session.Number, s.scopes[c.Session.Epoch]
	if scope == nil || scope.session == nil {
		return refused(CodeNoSession, "The session of this command has ended.")
	}
	s.closeNumbers(scope, c.Session.LowestOpen)
	if a, ok := scope.session.answers[number]; ok {
		return s.recall(a, fsmpb.Remembered_BY_SESSION)
	}
	if number < scope.rec.Floor {
		return refused(CodeStale, "The command is older than what is remembered.")
	}
	result := s.applyCommand(c)
	// A receive that found nothing changed nothing, and may wait on the leader and be proposed again.
	if r := result.GetReceive(); r == nil || len(r.Deliveries) > 0 || len(r.DeleteErrors) > 0 {
		scope.session.answers[number] = answer{fresh: result}
		s.numbered = append(s.numbered, numberedCommand{place, scope, number})
	}
	return result
}

// closeNumbers forgets what no command can ask for any more.
func (s *state) closeNumbers(c *scope, lowestOpen uint64) {
	if lowestOpen <= c.rec.Floor {
		return
	}
	s.touchScope(c)
	c.rec.Floor = lowestOpen
	for len(c.session.records) > 0 && c.session.records[0].highest < lowestOpen {
		s.forgetOldest(c)
	}
}

// forgetNumbers takes the oldest record out of the working copy.
func (c *scope) forgetNumbers() {
	oldest := c.session.records[0]
	c.session.records = c.session.records[1:]
	for _, number := range oldest.numbers {
		delete(c.session.answers, number)
	}
	c.rec.Floor = max(c.rec.Floor, oldest.highest+1)
}

// rememberNumbered keeps the results of an entry's numbered commands, one record for each session that has any.
func (s *state) rememberNumbered(encoded [][]byte) {
	for len(s.numbered) > 0 {
		c := s.numbered[0].scope
		var rest []numberedCommand
		var results []*fsmpb.RememberedResult
		record := sessionRecord{}
		for _, n := range s.numbered {
			if n.scope != c {
				rest = append(rest, n)
				continue
			}
			c.session.answers[n.number] = answer{encoded: encoded[n.place]}
			record.add(n.number)
			results = append(results, &fsmpb.RememberedResult{Number: n.number, Result: encoded[n.place]})
		}
		s.numbered = rest
		if s.scopes[c.rec.Id] != c { // the entry ended the session, too
			continue
		}
		s.remember(c, results...)
		c.session.records = append(c.session.records, record)
		for len(c.session.answers) > MaxSessionResults && len(c.session.records) > 1 {
			s.forgetOldest(c)
		}
	}
}

func (r *sessionRecord) add(number uint64) {
	r.numbers = append(r.numbers, number)
	r.highest = max(r.highest, number)
}

// loadResults fills the working copy of a session.
func (c *scope) loadResults(r scanner) (err error) {
	lower, upper := store.Results(c.rec.Id)
	r.Scan(lower, upper, func(key, value []byte) bool {
		stored := &fsmpb.RememberedResults{}
		if err = decode(value, stored); err != nil {
			err = fmt.Errorf("remembered results under %q: %w", key, err)
			return false
		}
		record := sessionRecord{}
		for _, result := range stored.Results {
			record.add(result.Number)
			c.session.answers[result.Number] = answer{encoded: result.Result}
		}
		c.session.records = append(c.session.records, record)
		return true
	})
	return err
}

// recall is a remembered answer. One that was remembered by its idempotency key at first stays that.
func (s *state) recall(a answer, how fsmpb.Remembered) *fsmpb.Result {
	result := &fsmpb.Result{}
	if a.fresh != nil {
		result = proto.CloneOf(a.fresh)
	} else {
		s.decode(nil, a.encoded, result)
	}
	if result.Remembered != fsmpb.Remembered_BY_IDEMPOTENCY_KEY {
		result.Remembered = how
	}
	return result
}
