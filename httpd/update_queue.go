package httpd

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// updateQueue changes what the request names; a request that names nothing changes nothing.
func (s *Server) updateQueue(ctx context.Context, r *request) (any, error) {
	var in queueSettings
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	settings, err := in.check()
	if err != nil {
		return nil, err
	}
	if err := queueInPath(r); err != nil {
		return nil, err
	}
	update := &fsmpb.UpdateQueue{Name: r.queue}
	if in.MaxLength.given {
		update.MaxLength = proto.Uint64(settings.GetMaxLength())
	}
	if in.VisibilityTimeout.given {
		update.VisibilityTimeoutS = proto.Uint32(settings.GetVisibilityTimeoutS())
	}
	result, err := s.propose(ctx, &fsmpb.Command{Principal: r.principal(), Op: &fsmpb.Command_UpdateQueue{UpdateQueue: update}})
	return viewOf(result.GetQueue()), err
}
