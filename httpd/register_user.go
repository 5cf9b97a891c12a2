package httpd

import (
	"context"
	"errors"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// newUser is the JSON of register.
type newUser struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// registerUser makes a user. Where registration is closed the caller must be an admin; where it is open nobody asks.
func (s *Server) registerUser(ctx context.Context, r *request) (any, error) {
	var in newUser
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := checkUserName(in.Username); err != nil {
		return nil, err
	}
	if err := checkNewPassword("password", in.Password); err != nil {
		return nil, err
	}
	cmd := &fsmpb.Command{}
	closed := s.node.RegistrationClosed(ctx)
	if closed {
		if err := s.admitRegistrar(ctx, r); err != nil {
			return nil, err
		}
		cmd.Principal = r.principal()
	}
	hash, err := s.hasher.Hash(ctx, in.Password)
	if err != nil {
		return nil, hashError(err)
	}
	cmd.Op = &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: in.Username, PasswordHash: hash, ByAdmin: closed}}
	_, err = s.propose(ctx, cmd)
	return named{in.Username}, closedTo(err)
}

// admitRegistrar refuses everybody but admins, before a password costs time. The command is checked again when it is applied.
func (s *Server) admitRegistrar(ctx context.Context, r *request) error {
	if !hasCredential(r.http.Header) {
		return closedTo(&apiError{code: fsm.CodeForbidden})
	}
	if err := s.authenticate(r); err != nil {
		return err
	}
	return closedTo(s.checkAdmin(ctx, r))
}

// closedTo says to somebody without the admin role that registration is closed.
func closedTo(err error) error {
	if !hasCode(err, fsm.CodeForbidden) {
		return err
	}
	return &apiError{code: codeRegistrationClosed, cause: errors.Unwrap(err),
		detail: "Registration is closed: only admins make users. Ask one, or send an admin's credential with the request."}
}
