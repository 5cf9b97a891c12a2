package httpd

import (
	"context"
	"errors"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// tokenPair is the answer to login and refresh.
type tokenPair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (s *Server) login(ctx context.Context, r *request) (any, error) {
	var in credentials
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	key, err := s.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	principal, err := s.verify(ctx, r, in.Username, in.Password)
	if err != nil {
		return nil, err
	}
	result, err := s.propose(ctx, &fsmpb.Command{Op: &fsmpb.Command_Login{Login: &fsmpb.Login{User: principal}}})
	if err != nil {
		return nil, err
	}
	return signPair(key, result.GetFamily())
}

// signingKey is the key that signs new tokens. It is looked for before a command is proposed whose answer needs it.
func (s *Server) signingKey(ctx context.Context) (auth.Key, error) {
	keys, err := s.keys(ctx)
	if err != nil {
		return auth.Key{}, err
	}
	all := authKeys(keys)
	if len(all) == 0 {
		return auth.Key{}, &apiError{code: codeInternal, cause: errors.New("the cluster has no signing key")}
	}
	return all[len(all)-1], nil
}

// signPair makes the tokens of one generation of a family. They depend on the family and the key only, so that the same
// refresh, asked for twice, gets the same pair from any node.
func signPair(key auth.Key, f *fsmpb.TokenFamily) (tokenPair, error) {
	c := auth.Claims{Name: f.GetUserName(), User: f.GetUser(), Version: f.GetUserVersion(), Role: f.GetRole(),
		Family: f.GetId(), Generation: f.GetGeneration()}
	access, err := auth.SignAccess(key, c, f.GetRotatedMs(), fsm.AccessTokenLife)
	if err != nil {
		return tokenPair{}, err
	}
	refresh, err := auth.SignRefresh(key, c, f.GetRotatedMs(), fsm.RefreshTokenLife)
	return tokenPair{access, refresh}, err
}
