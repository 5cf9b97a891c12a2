package httpd

import (
	"context"
	"unicode/utf8"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// revokeJoinToken ends a join token. Who joined with it stays.
func (s *Server) revokeJoinToken(ctx context.Context, r *request) (any, error) {
	id := r.param("id")
	if !utf8.ValidString(id) {
		return nil, &apiError{code: fsm.CodeJoinTokenNotFound}
	}
	_, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_RemoveJoinKey{RemoveJoinKey: &fsmpb.RemoveJoinKey{Id: id}},
	})
	return nil, err
}
