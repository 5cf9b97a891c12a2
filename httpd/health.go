package httpd

import "context"

// liveness is the answer to GET /livez.
type liveness struct {
	Status string `json:"status"`
}

// readiness is the answer to GET /readyz.
type readiness struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons"`
}

func (r readiness) ready() bool { return len(r.Reasons) == 0 }

// livez says that the process answers; nothing more, so that nobody restarts a node that only waits for others.
func (s *Server) livez(context.Context, *request) (any, error) { return liveness{"alive"}, nil }

// readyz says whether this node should get requests, and if not why.
func (s *Server) readyz(context.Context, *request) (any, error) {
	r := readiness{Status: "ready", Reasons: s.node.Ready()}
	if !r.ready() {
		r.Status = "not ready"
	}
	return r, nil
}

// viewCluster is this node's view of the cluster. It needs no other node, so that it answers without a leader too.
func (s *Server) viewCluster(ctx context.Context, r *request) (any, error) {
	if err := s.checkHere(ctx, r); err != nil {
		return nil, err
	}
	return s.node.Cluster(), nil
}
