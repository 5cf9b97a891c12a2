package fsm

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// speaker draws commands about a few queues and users. It uses again what the model has answered: receipts, log-ins and
// API keys.
type speaker struct {
	now      int64
	receipts []*fsmpb.Receipt
	families []*fsmpb.TokenFamily
	hashes   [][]byte // of API keys
	users    []*fsmpb.Principal
	epochs   []uint64 // of sessions
	number   uint64   // the highest that a command had
	said     []*fsmpb.Command
}

func newSpeaker() *speaker {
	return &speaker{now: 1_700_000_000_000, users: []*fsmpb.Principal{{User: 1, Version: 1}}}
}

func draw(t *rapid.T, what string, from, to int) int { return rapid.IntRange(from, to).Draw(t, what) }

func one[T any](t *rapid.T, what string, of []T) T { return rapid.SampledFrom(of).Draw(t, what) }

// latest draws among the last ones, mostly among the very last.
func latest[T any](t *rapid.T, what string, of []T) T {
	span := one(t, "of the last", []int{5, 10, 40})
	return of[len(of)-1-draw(t, what, 0, min(len(of), span)-1)]
}

// time is when the next entry is stamped: mostly a little later, at times before, as by another leader, or much later.
func (s *speaker) time(t *rapid.T) int64 {
	switch draw(t, "time", 0, 19) {
	case 0:
		return s.now - int64(draw(t, "back", 1, 5_000))
	case 1, 2, 3:
		s.now += int64(draw(t, "seconds", 1, 60)) * 1_000
	case 4:
		s.now += int64(draw(t, "minutes", 1, 120)) * 60_000
	case 5:
		s.now += int64(draw(t, "days", 1, 8)) * 24 * 3_600_000
	default:
		s.now += int64(draw(t, "milliseconds", 0, 2_000))
	}
	return s.now
}

// command is a new one, in a session or not, or one that was said before.
func (s *speaker) command(t *rapid.T) *fsmpb.Command {
	if len(s.said) > 0 && draw(t, "again", 0, 9) == 0 {
		return latest(t, "which", s.said)
	}
	var c *fsmpb.Command
	switch draw(t, "about", 0, 19) {
	case 0, 1, 2, 3:
		c = s.userCommand(t)
	case 4, 5:
		c = s.memberCommand(t)
	default:
		c = s.queueCommand(t)
	}
	if len(s.epochs) > 0 && draw(t, "session", 0, 2) == 0 {
		c.Session = s.numbered(t)
	}
	s.said = append(s.said, c)
	return c
}

// numbered is mostly the next number of the latest session, at times one that may have been used for another command.
func (s *speaker) numbered(t *rapid.T) *fsmpb.Session {
	n := &fsmpb.Session{Epoch: s.epochs[len(s.epochs)-1]}
	switch draw(t, "epoch", 0, 9) {
	case 0:
		n.Epoch = uint64(draw(t, "epoch of nobody", 0, 9))
	case 1, 2:
		n.Epoch = latest(t, "epoch of", s.epochs)
	}
	n.Number = s.number + 1 - min(s.number, uint64(max(0, draw(t, "number before", -12, 8))))
	s.number = max(s.number, n.Number)
	n.LowestOpen = n.Number - min(n.Number, uint64(draw(t, "lowest open before", 0, 10)))
	return n
}

func (s *speaker) memberCommand(t *rapid.T) *fsmpb.Command {
	member := one(t, "member", []string{"n", "n", "m"})
	switch draw(t, "member command", 0, 9) {
	case 0:
		return &fsmpb.Command{Op: &fsmpb.Command_RemoveMember{RemoveMember: &fsmpb.RemoveMember{Id: member}}}
	case 1, 2:
		return &fsmpb.Command{Op: &fsmpb.Command_PutMember{PutMember: &fsmpb.PutMember{Member: &fsmpb.Member{Id: member}}}}
	}
	return &fsmpb.Command{Op: &fsmpb.Command_RegisterSession{RegisterSession: &fsmpb.RegisterSession{
		Member: member, Lane: uint32(draw(t, "lane", 0, MaxLanes)), Nonce: one(t, "nonce", []string{"x", "y"}),
	}}}
}

func (s *speaker) queueCommand(t *rapid.T) *fsmpb.Command {
	queue := one(t, "queue", []string{"a", "a", "a", "b", "c"})
	c := &fsmpb.Command{Principal: s.principal(t)}
	switch n := draw(t, "command", 0, 99); {
	case n < 6:
		c.Op = &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{Name: queue, Settings: &fsmpb.QueueSettings{
			MaxLength: one(t, "max_length", []uint64{3, 20, MaxQueueLength, MaxQueueLength, MaxQueueLength}), VisibilityTimeoutS: uint32(draw(t, "visibility", 0, 5)),
		}}}
	case n < 8:
		c.Op = &fsmpb.Command_UpdateQueue{UpdateQueue: s.update(t, queue)}
	case n < 9:
		c.Op = &fsmpb.Command_DeleteQueue{DeleteQueue: &fsmpb.DeleteQueue{Name: queue}}
	case n < 10:
		c.Op = &fsmpb.Command_PurgeQueue{PurgeQueue: &fsmpb.PurgeQueue{Name: queue}}
	case n < 42:
		c.Op = &fsmpb.Command_SendMessage{SendMessage: s.send(t, queue)}
	case n < 72:
		c.Op = &fsmpb.Command_ReceiveMessage{ReceiveMessage: s.receive(t, queue)}
	case n < 84:
		c.Op = &fsmpb.Command_DeleteMessage{DeleteMessage: &fsmpb.DeleteMessage{Queue: queue, Receipts: s.some(t)}}
	case n < 91:
		m := &fsmpb.ChangeVisibility{Queue: queue}
		for _, r := range s.some(t) {
			m.Changes = append(m.Changes, &fsmpb.VisibilityChange{Receipt: r, VisibilityTimeoutS: uint32(draw(t, "visibility", 0, 60))})
		}
		c.Op = &fsmpb.Command_ChangeVisibility{ChangeVisibility: m}
	case n < 97:
		c.Op = &fsmpb.Command_ReleaseMessage{ReleaseMessage: &fsmpb.ReleaseMessage{Receipts: s.some(t)}}
	default:
		c.Op = &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}
	}
	return c
}

func (s *speaker) update(t *rapid.T, queue string) *fsmpb.UpdateQueue {
	u := &fsmpb.UpdateQueue{Name: queue}
	if rapid.Bool().Draw(t, "with max_length") {
		u.MaxLength = proto.Uint64(one(t, "max_length", []uint64{1, 10, 30, MaxQueueLength, MaxQueueLength}))
	}
	if rapid.Bool().Draw(t, "with visibility") {
		u.VisibilityTimeoutS = proto.Uint32(uint32(draw(t, "visibility", 0, 10)))
	}
	return u
}

// send is mostly of a few small messages; at times of so many with one delay that they are not due in one entry, or of
// some so large that one receive can't take them all.
func (s *speaker) send(t *rapid.T, queue string) *fsmpb.SendMessage {
	c := &fsmpb.SendMessage{Queue: queue}
	if draw(t, "with key", 0, 3) == 0 {
		c.IdempotencyKey = &fsmpb.IdempotencyKey{Key: one(t, "key", []string{"k1", "k2", "k3"}), RequestHash: []byte(one(t, "hash", []string{"h1", "h1", "h2"}))}
	}
	switch draw(t, "sizes", 0, 19) {
	case 0:
		delay := uint32(draw(t, "delay", 0, 5))
		for range draw(t, "many messages", 700, 1_400) {
			c.Messages = append(c.Messages, &fsmpb.NewMessage{Content: []byte("many"), DelayS: delay})
		}
	case 1:
		for range draw(t, "large messages", 1, 3) {
			c.Messages = append(c.Messages, &fsmpb.NewMessage{Content: bytes.Repeat([]byte("large"), draw(t, "size", 60_000, 200_000))})
		}
	default:
		for range draw(t, "messages", 1, 6) {
			c.Messages = append(c.Messages, &fsmpb.NewMessage{
				Content: fmt.Appendf(nil, "at %d", s.now), DelayS: uint32(max(0, draw(t, "delay", -5, 5))),
			})
		}
	}
	return c
}

func (s *speaker) receive(t *rapid.T, queue string) *fsmpb.ReceiveMessage {
	c := &fsmpb.ReceiveMessage{Queue: queue, Max: uint32(draw(t, "max", 1, MaxReceive))}
	if draw(t, "with visibility", 0, 3) == 0 {
		c.VisibilityTimeoutS = proto.Uint32(uint32(draw(t, "visibility", 0, 10)))
	}
	switch draw(t, "with", 0, 19) {
	case 0: // as no client may, to lease more than one entry can free
		c.Max = 1_400
	case 1, 2, 3, 4:
		c.Delete = s.some(t)
	}
	return c
}

// some draws receipts: of late deliveries, and a few that nobody was given.
func (s *speaker) some(t *rapid.T) (receipts []*fsmpb.Receipt) {
	for range draw(t, "receipts", 1, 3) {
		if len(s.receipts) == 0 || draw(t, "forged", 0, 19) == 0 {
			receipts = append(receipts, &fsmpb.Receipt{
				Queue: uint64(draw(t, "queue id", 0, 9)), Sequence: uint64(draw(t, "sequence", 0, 9)), Delivery: uint32(draw(t, "delivery", 0, 3)),
			})
			continue
		}
		receipts = append(receipts, latest(t, "receipt", s.receipts))
	}
	return receipts
}

// principal is mostly the first admin with a good token.
func (s *speaker) principal(t *rapid.T) *fsmpb.Principal {
	switch n := draw(t, "principal", 0, 19); {
	case n < 2 && len(s.hashes) > 0:
		return &fsmpb.Principal{ApiKey: latest(t, "API key", s.hashes)}
	case n < 4 && len(s.families) > 0:
		f := latest(t, "log-in", s.families)
		return &fsmpb.Principal{User: f.User, Version: f.UserVersion, Family: f.Id}
	case n < 9:
		return latest(t, "user", s.users[max(0, len(s.users)-5):])
	case n == 9:
		return &fsmpb.Principal{ApiKey: []byte("nobody's")}
	}
	return s.users[0]
}

func (s *speaker) userCommand(t *rapid.T) *fsmpb.Command {
	c := &fsmpb.Command{Principal: s.principal(t)}
	name := one(t, "name", []string{"bob", "bob", "eve", "admin"})
	family := &fsmpb.TokenFamily{Id: 999}
	if len(s.families) > 0 {
		family = latest(t, "log-in", s.families)
	}
	switch n := draw(t, "user command", 0, 99); {
	case n < 12:
		c.Op = &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: name, ByAdmin: n < 6}}
	case n < 30:
		c.Op = &fsmpb.Command_Login{Login: &fsmpb.Login{User: latest(t, "user", s.users)}}
	case n < 42:
		c.Op = &fsmpb.Command_RefreshToken{RefreshToken: &fsmpb.RefreshToken{User: family.User, Family: family.Id, Generation: family.Generation}}
	case n < 50:
		c.Op = &fsmpb.Command_Logout{Logout: &fsmpb.Logout{User: family.User, Family: family.Id}}
	case n < 65:
		hash := hashOf(fmt.Sprint(draw(t, "key", 0, 30)))
		c.Op = &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{Name: "key", Hash: hash, ExpiresInDays: uint32(draw(t, "days", 0, 2))}}
		s.hashes = append(s.hashes, hash)
	case n < 75:
		c.Op = &fsmpb.Command_DeleteApiKey{DeleteApiKey: &fsmpb.DeleteAPIKey{
			Id: uint64(draw(t, "id", 1, 30)), UserName: one(t, "of", []string{"", "", "bob", "admin"}),
		}}
	case n < 83:
		c.Op = &fsmpb.Command_TouchApiKey{TouchApiKey: &fsmpb.TouchAPIKey{}}
	case n < 89:
		c.Op = &fsmpb.Command_DeleteUser{DeleteUser: &fsmpb.DeleteUser{User: latest(t, "user", s.users[min(1, len(s.users)-1):])}} // not the one who does the most
	case n < 91:
		c.Op = &fsmpb.Command_ChangePassword{ChangePassword: &fsmpb.ChangePassword{User: latest(t, "user", s.users)}}
	default:
		c.Op = &fsmpb.Command_SetRole{SetRole: &fsmpb.SetRole{Name: name, Role: one(t, "role", []string{RoleAdmin, RoleUser})}}
	}
	return c
}

// learn takes from a result what later commands may use.
func (s *speaker) learn(r *fsmpb.Result) {
	for _, d := range r.GetReceive().GetDeliveries() {
		s.receipts = append(s.receipts, &fsmpb.Receipt{Queue: r.GetReceive().Queue, Sequence: d.Sequence, Delivery: d.Delivery})
	}
	if f := r.GetFamily(); f != nil {
		s.families = append(s.families, f)
	}
	if r.GetSession() != nil {
		s.epochs = append(s.epochs, r.GetSession().Epoch)
	}
	if u := r.GetUser(); u != nil {
		p := &fsmpb.Principal{User: u.Id, Version: u.Version}
		i := slices.IndexFunc(s.users, func(o *fsmpb.Principal) bool { return o.User == u.Id })
		if i < 0 {
			s.users = append(s.users, p)
		} else {
			s.users[i] = p
		}
	}
}
