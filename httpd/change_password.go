package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// passwordChange is the JSON of change-password.
type passwordChange struct {
	Username string `json:"username"`
	Old      string `json:"old_password"`
	New      string `json:"new_password"`
}

func (c *passwordChange) check() error {
	if err := required("username", c.Username); err != nil {
		return err
	}
	if err := required("old_password", c.Old); err != nil {
		return err
	}
	return checkNewPassword("new_password", c.New)
}

func (s *Server) changePassword(ctx context.Context, r *request) (any, error) {
	var in passwordChange
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	principal, err := s.verify(ctx, r, in.Username, in.Old)
	if err != nil {
		return nil, err
	}
	hash, err := s.hasher.Hash(ctx, in.New)
	if err != nil {
		return nil, hashError(err)
	}
	_, err = s.propose(ctx, &fsmpb.Command{
		Op: &fsmpb.Command_ChangePassword{ChangePassword: &fsmpb.ChangePassword{User: principal, PasswordHash: hash}},
	})
	return named{in.Username}, err
}
