package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// listPage is how many queues one query asks for.
const listPage = 1000

// queueList is the answer to GET /v1/queues.
type queueList struct {
	Queues []queueView `json:"queues"`
}

// listQueues reads all queues, page by page: each page is as of its own moment.
func (s *Server) listQueues(ctx context.Context, r *request) (any, error) {
	out := queueList{Queues: []queueView{}}
	after := ""
	for {
		result, err := s.read(ctx, &fsmpb.Query{
			Principal: r.principal(),
			Op:        &fsmpb.Query_ListQueues{ListQueues: &fsmpb.ListQueues{After: after, Limit: listPage}},
		})
		if err != nil {
			return nil, err
		}
		page := result.GetQueues()
		for _, q := range page.GetQueues() {
			out.Queues = append(out.Queues, viewOf(q))
			after = q.GetName()
		}
		if !page.GetMore() || len(page.GetQueues()) == 0 {
			return out, nil
		}
	}
}
