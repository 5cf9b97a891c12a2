package httpd

import (
	"context"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
)

// operateTime is how long the cluster may take for an operator's request: a leader that is to go ends what is in flight
// first, and the next one has to be elected.
const operateTime = 20 * time.Second

func (s *Server) removeMember(ctx context.Context, r *request) (any, error) {
	if err := s.checkAdmin(ctx, r); err != nil {
		return nil, err
	}
	name := r.param("name")
	if !isNodeName(name) {
		return nil, &apiError{code: cluster.CodeMemberNotFound}
	}
	ctx, cancel := context.WithTimeout(r.ctx, operateTime)
	defer cancel()
	if err := s.node.RemoveMember(ctx, name); err != nil {
		return nil, nodeError(err, true)
	}
	return nil, nil
}
