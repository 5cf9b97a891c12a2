package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func (s *Server) purgeQueue(ctx context.Context, r *request) (any, error) {
	if err := queueInPath(r); err != nil {
		return nil, err
	}
	result, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_PurgeQueue{PurgeQueue: &fsmpb.PurgeQueue{Name: r.queue}},
	})
	if err != nil {
		return nil, err
	}
	return viewOf(result.GetQueue()), nil
}
