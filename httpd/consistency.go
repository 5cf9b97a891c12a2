package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// The values of ?consistency.
const (
	linearizable = "linearizable" // the default: sees every write that was answered before the read began
	stale        = "stale"        // what this node knows, however old; needs no leader
)

// reader carries out a query; a refusal is an error.
type reader func(ctx context.Context, q *fsmpb.Query) (*fsmpb.QueryResult, error)

// reader is how the request wants to read.
func (s *Server) reader(p parameters) (reader, error) {
	if !p.Has("consistency") {
		return s.read, nil
	}
	switch p.Get("consistency") {
	case linearizable:
		return s.read, nil
	case stale:
		return s.readStale, nil
	}
	return nil, invalid("consistency", "be %s (the default) or %s, which reads this node without asking the leader", linearizable, stale)
}

// readStale answers a query from this node's own state; a refusal is an error.
func (s *Server) readStale(_ context.Context, q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	result, err := s.node.ReadStale(q)
	if err != nil {
		return nil, nodeError(err, false)
	}
	return result, refusal(result.GetError())
}
