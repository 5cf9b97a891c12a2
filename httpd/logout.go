package httpd

import (
	"context"
	"errors"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// logoutRequest is the JSON of logout.
type logoutRequest struct {
	Token string `json:"refresh_token"`
}

// logout ends the log-in that a refresh token descends from, on every node and with its access tokens. Whichever of its
// refresh tokens is shown will do; an expired one has nothing left to end.
func (s *Server) logout(ctx context.Context, r *request) (any, error) {
	var in logoutRequest
	if err := decodeStrict(r.body, &in); err != nil {
		return nil, err
	}
	if err := required("refresh_token", in.Token); err != nil {
		return nil, err
	}
	done := statement{"Logged out successfully"}
	c, err := s.refreshClaims(ctx, in.Token)
	if errors.Is(err, auth.ErrTokenExpired) {
		return done, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = s.propose(ctx, &fsmpb.Command{Op: &fsmpb.Command_Logout{Logout: &fsmpb.Logout{User: c.User, Family: c.Family}}})
	return done, err
}
