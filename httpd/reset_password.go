package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// passwordReset is the JSON of reset-password.
type passwordReset struct {
	Username string `json:"username"`
	New      string `json:"new_password"`
}

// resetPassword sets the password of a user who lost it. An admin vouches for that, or the node's local secret.
func (s *Server) resetPassword(ctx context.Context, r *request) (any, error) {
	var in passwordReset
	if err := decodeStrict(r.body, &in); err != nil {
		return nil, err
	}
	if err := required("username", in.Username); err != nil {
		return nil, err
	}
	if err := checkNewPassword("new_password", in.New); err != nil {
		return nil, err
	}
	if !isUserName(in.Username) {
		return nil, &apiError{code: fsm.CodeUserNotFound}
	}
	reset := &fsmpb.ResetPassword{Name: in.Username}
	cmd := &fsmpb.Command{Op: &fsmpb.Command_ResetPassword{ResetPassword: reset}}
	var err error
	if s.isLocal(r) {
		reset.Local, err = true, s.useLocalSecret(r)
	} else {
		cmd.Principal, err = r.principal(), s.checkResetter(ctx, r) // before a password costs time
	}
	if err != nil {
		return nil, err
	}
	if reset.PasswordHash, err = s.hasher.Hash(ctx, in.New); err != nil {
		return nil, hashError(err)
	}
	if _, err = s.propose(ctx, cmd); err != nil {
		return nil, err
	}
	s.logger.Info("password reset", "user", in.Username, "by_local_secret", reset.Local, "request_id", r.id)
	return named{in.Username}, nil
}

// checkResetter refuses everybody but admins with a log-in; the command is checked again when it is applied.
func (s *Server) checkResetter(ctx context.Context, r *request) error {
	if err := s.checkAdmin(ctx, r); err != nil {
		return err
	}
	if r.apiKey != nil {
		return &apiError{code: fsm.CodeForbidden, detail: "An API key can't set passwords: log in and use the access token."}
	}
	return nil
}
