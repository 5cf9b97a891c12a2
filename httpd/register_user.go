package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func (s *Server) registerUser(ctx context.Context, r *request) (any, error) {
	var in credentials
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := checkUserName(in.Username); err != nil {
		return nil, err
	}
	if err := checkNewPassword("password", in.Password); err != nil {
		return nil, err
	}
	hash, err := s.hasher.Hash(ctx, in.Password)
	if err != nil {
		return nil, hashError(err)
	}
	_, err = s.propose(ctx, &fsmpb.Command{
		Op: &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: in.Username, PasswordHash: hash}},
	})
	return named{in.Username}, err
}
