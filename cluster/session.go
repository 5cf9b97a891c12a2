package cluster

import (
	"context"
	"crypto/rand"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// Lanes of a member's sessions. A receive that waits for messages keeps its number open for as long as 20 s; in the lane
// of the others it would have the state remember what they were all answered meanwhile.
const (
	promptLane  = 0
	waitingLane = 1
)

// session numbers this process's commands, so that one whose outcome is unknown can be sent again, to any leader, without
// a second effect: package fsm remembers what each number was answered (fsm/session.go). It registers when it is first
// needed, and again if the state has ended it.
type session struct {
	register func(context.Context) (epoch uint64, err *Error)

	registering chan struct{} // holds a token while somebody registers

	mu     sync.Mutex
	epoch  uint64 // 0: not registered
	lowest uint64 // number that is open or not given yet
	closed []bool // by number, from lowest on
}

// ticket is the number of one command.
type ticket struct{ epoch, number, lowestOpen uint64 }

func newSession(register func(context.Context) (uint64, *Error)) *session {
	return &session{register: register, registering: make(chan struct{}, 1), lowest: 1}
}

// newSessions makes a session for each lane.
func (n *Node) newSessions() (sessions [fsm.MaxLanes]*session) {
	nonce := rand.Text()
	for lane := range sessions {
		sessions[lane] = newSession(func(ctx context.Context) (uint64, *Error) {
			c := &fsmpb.Command{Op: &fsmpb.Command_RegisterSession{
				RegisterSession: &fsmpb.RegisterSession{Member: n.ID(), Lane: uint32(lane), Nonce: nonce},
			}}
			result, err := n.repeat(ctx, c, func(ctx context.Context, command []byte) (*fsmpb.Result, *Error) {
				result, err := n.proposeOnce(ctx, command)
				if err == nil && result.Error != nil { // the leader has not recorded this member yet
					err = errNotLeader(result.Error.Detail)
				}
				return result, err
			}, n.pause)
			return result.GetSession().GetEpoch(), err
		})
	}
	return sessions
}

// begin gives a command its number, which is open until end. It waits for the session to be registered.
func (s *session) begin(ctx context.Context) (ticket, *Error) {
	for {
		if t, ok := s.next(); ok {
			return t, nil
		}
		select {
		case s.registering <- struct{}{}:
		case <-ctx.Done():
			return ticket{}, errNotLeader("this node could not register its session in time")
		}
		err := s.ensureRegistered(ctx)
		<-s.registering
		if err != nil {
			return ticket{}, err
		}
	}
}

// ensureRegistered is called by one goroutine at a time.
func (s *session) ensureRegistered(ctx context.Context) *Error {
	s.mu.Lock()
	registered := s.epoch != 0
	s.mu.Unlock()
	if registered {
		return nil
	}
	epoch, err := s.register(ctx)
	if err != nil && err.Unknown { // whether it is registered; the command that waits for it was not sent
		return errNotLeader("this node could not register its session in time")
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.epoch = epoch
	s.mu.Unlock()
	return nil
}

func (s *session) next() (ticket, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == 0 {
		return ticket{}, false
	}
	t := ticket{epoch: s.epoch, number: s.lowest + uint64(len(s.closed)), lowestOpen: s.lowest}
	s.closed = append(s.closed, false)
	return t, true
}

// end closes a number: the command will not be sent again.
func (s *session) end(t ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed[t.number-s.lowest] = true
	for len(s.closed) > 0 && s.closed[0] {
		s.closed = s.closed[1:]
		s.lowest++
	}
}

// lapse is told that the state does not know the session of a ticket any more.
func (s *session) lapse(t ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == t.epoch {
		s.epoch = 0
	}
}

// numbered adds the session to an encoded command.
func (t ticket) numbered(command []byte) []byte {
	n := &fsmpb.Session{Epoch: t.epoch, Number: t.number, LowestOpen: t.lowestOpen}
	const field protowire.Number = 2 // session in fsmpb.Command
	size := n.SizeVT()
	data := make([]byte, 0, len(command)+size+4)
	data = append(data, command...)
	data = protowire.AppendTag(data, field, protowire.BytesType)
	data = protowire.AppendVarint(data, uint64(size))
	data = data[:len(data)+size]
	if _, err := n.MarshalToSizedBufferVT(data[len(data)-size:]); err != nil { // numbers alone can't fail
		panic(err)
	}
	return data
}

// harmlessTwice tells which commands need no number: a second effect is none, or they carry what tells them apart.
func harmlessTwice(c *fsmpb.Command) bool {
	switch c.Op.(type) {
	case *fsmpb.Command_Tick, *fsmpb.Command_InitCluster, *fsmpb.Command_PutMember, *fsmpb.Command_RemoveMember,
		*fsmpb.Command_RegisterSession, *fsmpb.Command_ReleaseMessage, *fsmpb.Command_TouchApiKey:
		return true
	}
	return false
}
