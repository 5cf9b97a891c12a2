package httpd

import (
	"context"
	"time"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// secondOpinion is how long the leader is asked about a caller whom this node does not know.
const secondOpinion = time.Second

// checkAdmin refuses callers who are no admins, for routes whose work is no command or query with a principal of its own.
func (s *Server) checkAdmin(ctx context.Context, r *request) error {
	_, err := s.read(ctx, &fsmpb.Query{Principal: r.principal(), Op: &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{Admin: true}}})
	return err
}

// checkHere refuses callers whom the state does not know any more, on routes that must answer without a leader: by this
// node's own state. That may be older than the caller's API key, so that a refusal is confirmed by the leader, if there is one.
func (s *Server) checkHere(ctx context.Context, r *request) error {
	check := checkOf(r)
	_, here := s.readStale(ctx, check)
	switch {
	case here == nil:
		return nil
	case !hasCode(here, fsm.CodeUnauthenticated): // this node has no state: a token is proved by its signature
		if r.caller != (auth.Claims{}) {
			return nil
		}
		return here
	}
	ctx, cancel := context.WithTimeout(ctx, secondOpinion)
	defer cancel()
	if _, err := s.read(ctx, check); err == nil {
		return nil
	}
	return here
}

// checkKey refuses an API key that neither this node's state knows nor, since that may be old, the leader's. Without a leader
// an unknown key may still be good, which is no refusal of the key.
func (s *Server) checkKey(r *request) error {
	check := checkOf(r)
	if _, err := s.readStale(r.ctx, check); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, secondOpinion)
	defer cancel()
	_, err := s.read(ctx, check)
	return err
}

// checkOf asks whether the state knows the caller.
func checkOf(r *request) *fsmpb.Query {
	return &fsmpb.Query{Principal: r.principal(), Op: &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{}}}
}
