package fsm

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// wantState compares everything that a replica has stored and published with the model.
func (m *model) wantState(t *rapid.T, f *FSM) {
	t.Helper()
	if got, want := storedState(t, f), m.state(); got != want {
		t.Fatalf("the state is not the model's: %s", firstDifference(got, want))
	}
	for name, q := range m.queues {
		if n, ok := f.ReadyMessages(name); !ok || n != int64(q.count("ready")) {
			t.Fatalf("queue %s: %d ready messages are published (%v), the model has %d", name, n, ok, q.count("ready"))
		}
	}
	if f.Now() != m.now {
		t.Fatalf("the clock is %d, the model's %d", f.Now(), m.now)
	}
	if d, ok := m.firstDue(); ok && f.NextDue() != d.At {
		t.Fatalf("the next due time is %d, the model's %d", f.NextDue(), d.At)
	}
}

// state writes the model down, one line for each thing, sorted.
func (m *model) state() string {
	lines := []string{fmt.Sprintf("next id %d", m.nextID)}
	for name, q := range m.queues {
		lines = append(lines, fmt.Sprintf("queue %d %s %v, created %d, next %d: %d ready, %d leased, %d delayed", q.id, name,
			settingsOf(q.settings), q.createdMS, q.next, q.count("ready"), q.count("leased"), q.count("delayed")))
		for _, x := range q.messages {
			lines = append(lines, fmt.Sprintf("message %d/%d %s until %d, delivery %d, count %d, first %d, sent %d, %d bytes", q.id, x.sequence, x.place,
				x.untilMS, x.number, x.count, x.firstMS, x.sentMS, len(x.content)))
		}
	}
	for _, u := range m.users {
		lines = append(lines, userLine(u.User, len(u.families)))
		for _, f := range u.families {
			lines = append(lines, fmt.Sprintf("log-in %x", encode(f)))
		}
	}
	for _, k := range m.keys {
		lines = append(lines, fmt.Sprintf("API key %x", encode(k)))
	}
	for f, until := range m.ended {
		lines = append(lines, fmt.Sprintf("ended %d until %d", f, until))
	}
	for _, l := range m.lists {
		lines = append(lines, l.lines()...)
	}
	for member := range m.member {
		lines = append(lines, "member "+member)
	}
	for d := range m.due {
		lines = append(lines, fmt.Sprintf("due %+v", d))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func settingsOf(s *fsmpb.QueueSettings) [2]uint64 {
	return [2]uint64{s.GetMaxLength(), uint64(s.GetVisibilityTimeoutS())}
}

func userLine(u *fsmpb.User, families int) string {
	return fmt.Sprintf("user %d %s, version %d, %s, %d log-ins, %d API keys, created %d", u.Id, u.Name, u.Version, u.Role, families, u.ApiKeys, u.CreatedMs)
}

// storedState writes down in the same way what a replica's store holds.
func storedState(t *rapid.T, f *FSM) string {
	t.Helper()
	r := f.Store().NewReader()
	defer r.Close()
	s := stored{t: t, r: r, lines: []string{fmt.Sprintf("next id %d", f.state.nextID)}}
	lower, upper := store.State()
	r.Scan(lower, upper, func(key, value []byte) bool {
		s.add(key, value)
		return true
	})
	slices.Sort(s.lines)
	return strings.Join(s.lines, "\n")
}

type stored struct {
	t     *rapid.T
	r     *store.Reader
	lines []string
}

func (s *stored) note(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// add writes down one key of store/schema.go.
func (s *stored) add(key, value []byte) {
	switch key[0] {
	case 'q':
		q := decoded(s.t, value, &fsmpb.Queue{})
		s.note("queue %d %s %v, created %d, next %d: %d ready, %d leased, %d delayed", q.Id, q.Name,
			settingsOf(q.Settings), q.CreatedMs, q.NextSequence, q.Ready, q.Leased, q.Delayed)
	case 'r', 's':
		s.addMessage(key, value)
	case 'u':
		u := decoded(s.t, value, &fsmpb.User{})
		s.lines = append(s.lines, userLine(u, int(u.Families)))
	case 'f':
		s.note("log-in %x", value)
	case 'a':
		s.note("API key %x", value)
	case 'e':
		s.note("ended %d until %d", store.EndedFamily(key), bigEndian(value))
	case 'o':
		c := decoded(s.t, value, &fsmpb.Scope{})
		s.note("list %d of %q %d %q: %d records, floor %d, due %d", c.Id, c.Member, c.Lane, c.Nonce, c.Next-c.First, c.Floor, c.DueMs)
	case 'h':
		record := decoded(s.t, value, &fsmpb.RememberedResults{})
		for _, r := range record.Results {
			s.lines = append(s.lines, recordLine(bigEndian(key[1:9]), record.BornMs, r.Number, r.Name, r.RequestHash, decoded(s.t, r.Result, &fsmpb.Result{})))
			if i, ok := s.r.Get(store.ResultOfKey(bigEndian(key[1:9]), r.Name)); ok != (r.Number == 0) || ok && bigEndian(i) != bigEndian(key[9:]) {
				s.t.Fatalf("the name %x of record %x leads to %x", r.Name, key, i)
			}
		}
	case 'i':
		if _, ok := s.r.Get(store.ResultKey(bigEndian(key[1:9]), bigEndian(value))); !ok {
			s.t.Fatalf("the name %x leads nowhere", key)
		}
	case 'p':
		s.note("member %s", key[1:])
	case 'd':
		s.note("due %+v", store.ParseDue(key))
	}
}

func (s *stored) addMessage(key, value []byte) {
	d, ok := decodeDelivery(value)
	if !ok {
		s.t.Fatalf("delivery state %x", value)
	}
	place := "ready"
	switch {
	case key[0] == 's' && d.leased:
		place = "leased"
	case key[0] == 's':
		place = "delayed"
	}
	queue, sequence := bigEndian(key[1:9]), bigEndian(key[len(key)-8:])
	content, ok := s.r.Get(store.MessageKey(queue, sequence))
	if !ok {
		s.t.Fatalf("message %d/%d has no content", queue, sequence)
	}
	m := decoded(s.t, content, &fsmpb.Message{})
	s.note("message %d/%d %s until %d, delivery %d, count %d, first %d, sent %d, %d bytes", queue, sequence, place,
		d.until, d.number, d.count, d.first, m.SentMs, len(m.Content))
}

func bigEndian(b []byte) (n uint64) {
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}

func decoded[M proto.Message](t *rapid.T, b []byte, m M) M {
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}
