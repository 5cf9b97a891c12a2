package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// newQueue is the JSON of a queue to create.
type newQueue struct {
	Name string `json:"name"`
	queueSettings
}

func (s *Server) createQueue(ctx context.Context, r *request) (any, error) {
	var in newQueue
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := checkQueueName(in.Name); err != nil {
		return nil, err
	}
	settings, err := in.check()
	if err != nil {
		return nil, err
	}
	result, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{Name: in.Name, Settings: settings}},
	})
	return viewOf(result.GetQueue()), err
}
