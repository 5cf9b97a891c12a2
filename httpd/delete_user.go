package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func (s *Server) deleteUser(ctx context.Context, r *request) (any, error) {
	var in credentials
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	principal, err := s.verify(ctx, r, in.Username, in.Password)
	if err != nil {
		return nil, err
	}
	_, err = s.propose(ctx, &fsmpb.Command{Op: &fsmpb.Command_DeleteUser{DeleteUser: &fsmpb.DeleteUser{User: principal}}})
	return statement{"User deleted successfully"}, err
}
