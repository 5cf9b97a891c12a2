package fsm

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// modelList is what is remembered for a session (member is set) or for a user's idempotency keys.
type modelList struct {
	id            uint64
	member, nonce string
	lane          uint32
	floor         uint64 // a lower number that is not remembered is stale
	fresh         []modelResult
	records       [][]modelResult // oldest first: what one entry added
	dueMS         int64           // when the oldest is looked at; 0: never
}

type modelResult struct {
	number     uint64
	name, hash []byte
	bornMS     int64
	result     *fsmpb.Result
}

func (m *model) registerSession(c *fsmpb.RegisterSession) *fsmpb.Result {
	if !m.member[c.Member] || c.Lane >= MaxLanes {
		return coded(CodeNoSession)
	}
	mine := func(l *modelList) bool { return l.member == c.Member && l.lane == c.Lane }
	i := slices.IndexFunc(m.lists, mine)
	if i < 0 || m.lists[i].nonce != c.Nonce {
		m.forget(mine)
		m.lists = append(m.lists, &modelList{id: m.newID(), member: c.Member, lane: c.Lane, nonce: c.Nonce})
		i = len(m.lists) - 1
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Session{Session: &fsmpb.RegisteredSession{Epoch: m.lists[i].id}}}
}

// forget drops whole lists.
func (m *model) forget(these func(*modelList) bool) {
	for _, l := range m.lists {
		if these(l) {
			delete(m.due, l.due())
		}
	}
	m.lists = slices.DeleteFunc(m.lists, these)
}

func (l *modelList) due() store.Due {
	return store.Due{At: l.dueMS, Kind: store.DueResult, Owner: l.id}
}

func (m *model) list(id uint64) *modelList {
	for _, l := range m.lists {
		if l.id == id {
			return l
		}
	}
	return nil
}

// once applies a command whose number did not come before.
func (m *model) once(c *fsmpb.Command) *fsmpb.Result {
	if c.Session == nil {
		return m.command(c)
	}
	l := m.list(c.Session.Epoch)
	if l == nil || l.member == "" {
		return coded(CodeNoSession)
	}
	if c.Session.LowestOpen > l.floor {
		l.floor = c.Session.LowestOpen
		for len(l.records) > 0 && highest(l.records[0]) < l.floor {
			l.records = l.records[1:]
		}
	}
	for _, r := range append(slices.Concat(l.records...), l.fresh...) {
		if r.number == c.Session.Number {
			return again(r.result, fsmpb.Remembered_BY_SESSION)
		}
	}
	if c.Session.Number < l.floor {
		return coded(CodeStale)
	}
	result := m.command(c)
	if r := result.GetReceive(); r != nil && len(r.Deliveries)+len(r.DeleteErrors) == 0 {
		return result // changed nothing, so it may come again
	}
	l.fresh = append(l.fresh, modelResult{number: c.Session.Number, bornMS: m.now, result: result})
	return result
}

func again(result *fsmpb.Result, how fsmpb.Remembered) *fsmpb.Result {
	result = proto.CloneOf(result)
	if result.Remembered != fsmpb.Remembered_BY_IDEMPOTENCY_KEY {
		result.Remembered = how
	}
	return result
}

func highest(record []modelResult) (n uint64) {
	for _, r := range record {
		n = max(n, r.number)
	}
	return n
}

// endOfEntry makes what the sessions' commands were answered one record of each session.
func (m *model) endOfEntry() {
	for _, l := range m.lists {
		if len(l.fresh) > 0 {
			m.remember(l, l.fresh)
			l.fresh = nil
		}
	}
}

func (m *model) remember(l *modelList, record []modelResult) {
	l.records = append(l.records, record)
	if l.dueMS == 0 {
		m.expect(l)
	}
}

// expect has a list looked at when its oldest record is to be forgotten.
func (m *model) expect(l *modelList) {
	l.dueMS = l.records[0][0].bornMS + RememberFor.Milliseconds()
	m.due[l.due()] = true
}

// resultDue forgets the oldest record if it is old enough; it may be a younger one than was expected.
func (m *model) resultDue(d store.Due) {
	l := m.list(d.Owner)
	if l == nil || l.dueMS != d.At {
		return
	}
	if len(l.records) > 0 && l.records[0][0].bornMS+RememberFor.Milliseconds() <= m.now {
		if l.member != "" {
			l.floor = max(l.floor, highest(l.records[0])+1)
		}
		l.records = l.records[1:]
	}
	l.dueMS = 0
	switch {
	case len(l.records) > 0:
		m.expect(l)
	case l.member == "":
		m.forget(func(o *modelList) bool { return o == l })
	}
}

// sendOnce sends unless the user has sent under the same key to the same queue.
func (m *model) sendOnce(u *modelUser, q *modelQueue, c *fsmpb.SendMessage) *fsmpb.Result {
	if c.IdempotencyKey == nil {
		return m.send(q, c.Messages)
	}
	name := fmt.Appendf(nil, "%s%s", encodeID(q.id), c.IdempotencyKey.Key)
	l := m.list(u.Id)
	if l != nil {
		for _, r := range slices.Concat(l.records...) {
			switch {
			case !bytes.Equal(r.name, name):
			case !bytes.Equal(r.hash, c.IdempotencyKey.RequestHash):
				return coded(CodeKeyReused)
			default:
				return again(r.result, fsmpb.Remembered_BY_IDEMPOTENCY_KEY)
			}
		}
	}
	result := m.send(q, c.Messages)
	if !slices.ContainsFunc(result.GetSend().Messages, func(s *fsmpb.SentMessage) bool { return s.Error == nil }) {
		return result // stored nothing, so it may be tried again
	}
	if l == nil {
		l = &modelList{id: u.Id}
		m.lists = append(m.lists, l)
	}
	m.remember(l, []modelResult{{name: name, hash: c.IdempotencyKey.RequestHash, bornMS: m.now, result: result}})
	return result
}

func encodeID(id uint64) string { return string(store.ScopeKey(id)[1:]) }

// lines writes a list down, as storedState does.
func (l *modelList) lines() []string {
	lines := []string{fmt.Sprintf("list %d of %q %d %q: %d records, floor %d, due %d", l.id, l.member, l.lane, l.nonce, len(l.records), l.floor, l.dueMS)}
	for _, r := range slices.Concat(l.records...) {
		lines = append(lines, recordLine(l.id, r.bornMS, r.number, r.name, r.hash, r.result))
	}
	return lines
}

func recordLine(list uint64, bornMS int64, number uint64, name, hash []byte, result *fsmpb.Result) string {
	return fmt.Sprintf("remembered in %d since %d: number %d, name %q, hash %q, %x", list, bornMS, number, name, hash, encode(withoutDetails(result)))
}
