package httpd

import (
	"context"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// queueDetails is the answer to GET /v1/queues/{name}.
type queueDetails struct {
	queueView
	Ready   uint64    `json:"ready"`
	Leased  uint64    `json:"leased"`
	Delayed uint64    `json:"delayed"`
	Oldest  int64     `json:"oldest_message_age"` // seconds since the oldest message was sent; 0 without messages
	Created timestamp `json:"created"`
}

func (s *Server) getQueue(ctx context.Context, r *request) (any, error) {
	if err := queueInPath(r); err != nil {
		return nil, err
	}
	p, err := r.parameters("consistency")
	if err != nil {
		return nil, err
	}
	read, err := s.reader(p)
	if err != nil {
		return nil, err
	}
	result, err := read(ctx, &fsmpb.Query{
		Principal: r.principal(),
		Op:        &fsmpb.Query_GetQueue{GetQueue: &fsmpb.GetQueue{Name: r.queue}},
	})
	if err != nil {
		return nil, err
	}
	q := result.GetQueue()
	d := queueDetails{
		queueView: viewOf(q), Ready: q.GetReady(), Leased: q.GetLeased(), Delayed: q.GetDelayed(),
		Created: timestampOf(q.GetCreatedMs()),
	}
	if q.GetOldestMs() > 0 {
		d.Oldest = int64(max(0, s.node.Now().Sub(time.UnixMilli(q.GetOldestMs())).Seconds()))
	}
	return d, nil
}
