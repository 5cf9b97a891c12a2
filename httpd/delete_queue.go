package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func (s *Server) deleteQueue(ctx context.Context, r *request) (any, error) {
	if err := queueInPath(r); err != nil {
		return nil, err
	}
	_, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_DeleteQueue{DeleteQueue: &fsmpb.DeleteQueue{Name: r.queue}},
	})
	return nil, err
}
