package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// queueList is the answer to GET /v1/queues.
type queueList struct {
	Queues []queueView `json:"queues"`
}

func (s *Server) listQueues(ctx context.Context, r *request) (any, error) {
	p, at, read, err := s.list(r)
	if err != nil {
		return nil, err
	}
	queues, next, err := collect(at, func(after string, limit uint32) ([]*fsmpb.QueueInfo, bool, error) {
		result, err := read(ctx, &fsmpb.Query{
			Principal: r.principal(),
			Op:        &fsmpb.Query_ListQueues{ListQueues: &fsmpb.ListQueues{After: after, Limit: limit}},
		})
		return result.GetQueues().GetQueues(), result.GetQueues().GetMore(), err
	}, (*fsmpb.QueueInfo).GetName)
	if err != nil {
		return nil, err
	}
	out := queueList{Queues: make([]queueView, 0, len(queues))}
	for _, q := range queues {
		out.Queues = append(out.Queues, viewOf(q))
	}
	return pageOf(r, p, out, next), nil
}
