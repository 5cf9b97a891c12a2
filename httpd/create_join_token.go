package httpd

import (
	"context"
	"fmt"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// noFields is the JSON of a request that has nothing to say; its body may also be empty.
type noFields struct{}

// createdJoinToken is the only answer that has the token itself.
type createdJoinToken struct {
	ID      string     `json:"id"`
	Token   string     `json:"token"`
	Created *timestamp `json:"created"`
}

func (s *Server) createJoinToken(ctx context.Context, r *request) (any, error) {
	if err := decodeOptional(r.body, &noFields{}); err != nil {
		return nil, err
	}
	token, key, err := cluster.NewJoinToken()
	if err != nil {
		return nil, fmt.Errorf("join token: %w", err)
	}
	result, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_PutJoinKey{PutJoinKey: &fsmpb.PutJoinKey{JoinKey: key}},
	})
	if err != nil {
		return nil, err
	}
	k := result.GetJoinKey()
	return createdJoinToken{ID: k.GetId(), Token: token, Created: timestampOrNull(k.GetCreatedMs())}, nil
}
