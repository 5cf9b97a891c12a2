package cluster

import (
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// arrivalStall is how long a state that arrives from another member may stand still. raft's main loop is inside of the
// read: until it ends this node neither votes nor appends, and a leader that was stopped, or whose network was, keeps the
// connection open for as long as it likes.
const arrivalStall = 5 * time.Second

// arrivalWatch notices a state that stands still while it arrives. Like stallWatch it counts looks.
type arrivalWatch struct {
	bytes uint64        // at the last look
	still time.Duration // since there are so many
}

func (w *arrivalWatch) stalled(bytes uint64, arriving bool) bool {
	if !arriving || bytes != w.bytes {
		w.bytes, w.still = bytes, 0
		return false
	}
	w.still += watchInterval
	return w.still >= arrivalStall
}

// raftStreams are the connections over which the other members' rafts speak to this one.
type raftStreams struct {
	raft.StreamLayer
	mu   sync.Mutex
	open map[*raftStream]bool
}

type raftStream struct {
	net.Conn
	all *raftStreams
}

// Accept implements net.Listener.
func (s *raftStreams) Accept() (net.Conn, error) {
	c, err := s.StreamLayer.Accept()
	if err != nil {
		return nil, err
	}
	stream := &raftStream{c, s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[stream] = true
	return stream, nil
}

// Close implements net.Conn.
func (s *raftStream) Close() error {
	s.all.mu.Lock()
	delete(s.all.open, s)
	s.all.mu.Unlock()
	return s.Conn.Close()
}

// cut ends all of them. The members that are well make new ones.
func (s *raftStreams) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for stream := range s.open {
		go func() { _ = stream.Conn.Close() }() // raft's reader sees an error and closes it again; saying goodbye may take long
	}
}
