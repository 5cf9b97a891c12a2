package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// deleteAPIKey ends a key of the caller, or for an admin one of the user whom ?username names.
func (s *Server) deleteAPIKey(ctx context.Context, r *request) (any, error) {
	p, err := r.parameters("username")
	if err != nil {
		return nil, err
	}
	id, ok := parseID(r.param("id"))
	if !ok {
		return nil, &apiError{code: fsm.CodeAPIKeyNotFound, detail: "API key not found: the id in the path must be a whole number, as GET /v1/auth/api-keys shows it."}
	}
	_, err = s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_DeleteApiKey{DeleteApiKey: &fsmpb.DeleteAPIKey{Id: id, UserName: p.Get("username")}},
	})
	return nil, err
}
