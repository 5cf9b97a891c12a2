package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/cluster"
)

// newLeader is the JSON of POST /v1/cluster/leader, whose body may also be empty.
type newLeader struct {
	Name string `json:"name"` // empty: the fittest
}

// leaderNow is the answer to it.
type leaderNow struct {
	Leader string `json:"leader"`
}

func (s *Server) transferLeadership(ctx context.Context, r *request) (any, error) {
	var in newLeader
	if err := decodeOptional(r.body, &in); err != nil {
		return nil, err
	}
	if err := s.checkAdmin(ctx, r); err != nil {
		return nil, err
	}
	if in.Name != "" && !isNodeName(in.Name) {
		return nil, &apiError{code: cluster.CodeMemberNotFound}
	}
	ctx, cancel := context.WithTimeout(r.ctx, operateTime)
	defer cancel()
	leader, err := s.node.TransferLeadership(ctx, in.Name)
	if err != nil {
		return nil, nodeError(err, true)
	}
	return leaderNow{leader}, nil
}
