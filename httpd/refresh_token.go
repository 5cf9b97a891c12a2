package httpd

import (
	"context"
	"errors"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// refreshRequest is the JSON of refresh.
type refreshRequest struct {
	Token string `json:"refresh_token"`
}

func (s *Server) refreshToken(ctx context.Context, r *request) (any, error) {
	var in refreshRequest
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := required("refresh_token", in.Token); err != nil {
		return nil, err
	}
	key, err := s.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.refreshClaims(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	result, err := s.propose(ctx, &fsmpb.Command{Op: &fsmpb.Command_RefreshToken{
		RefreshToken: &fsmpb.RefreshToken{User: c.User, Family: c.Family, Generation: c.Generation},
	}})
	if err != nil {
		return nil, err
	}
	return signPair(key, result.GetFamily())
}

// refreshClaims is what a refresh token says. Whether it may still be used is decided when the command is applied.
func (s *Server) refreshClaims(ctx context.Context, text string) (auth.Claims, error) {
	c, err := s.withKeys(ctx, func(keys *fsmpb.Keys) (auth.Claims, error) {
		return auth.ParseRefresh(authKeys(keys), text, s.node.Now())
	})
	switch {
	case errors.Is(err, auth.ErrTokenExpired):
		return c, &apiError{code: fsm.CodeRefreshInvalid, detail: "The refresh token has expired. Log in again.", cause: err}
	case errors.Is(err, auth.ErrTokenInvalid), errors.Is(err, auth.ErrTokenKey):
		return c, &apiError{code: fsm.CodeRefreshInvalid, detail: "This is no refresh token of this cluster. Log in again.", cause: err}
	}
	return c, err
}
