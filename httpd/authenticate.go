package httpd

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// authenticate finds out who sent the request. It checks the token's signature, time and role; whether the user still
// exists in this version is decided with the command or query that carries the principal.
func (s *Server) authenticate(need access, r *request) error {
	text, err := bearerToken(r.http.Header)
	if err != nil {
		return err
	}
	if r.caller, err = s.claims(r.http.Context(), text); err != nil {
		return err
	}
	if need == admin && r.caller.Role != fsm.RoleAdmin {
		return &apiError{code: fsm.CodeForbidden}
	}
	return nil
}

// bearerToken takes the token out of the Authorization header.
func bearerToken(h http.Header) (string, error) {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return "", &apiError{code: fsm.CodeUnauthenticated,
			detail: "Authentication required: send the access token of a log-in as \"Authorization: Bearer <token>\"."}
	}
	return token, nil
}

// claims is what an access token says. A token of a key that this node does not know yet is looked at again with the
// leader's keys.
func (s *Server) claims(ctx context.Context, text string) (auth.Claims, error) {
	now := s.node.Now()
	keys, err := s.node.Keys(ctx)
	if err == nil {
		if c, ok := s.tokens.get(keys, text, now); ok {
			return c, nil
		}
	}
	c, err := s.withKeys(ctx, func(keys *fsmpb.Keys) (auth.Claims, error) {
		c, err := auth.ParseAccess(authKeys(keys), text, now)
		if err == nil {
			s.tokens.put(keys, text, c)
		}
		return c, err
	})
	switch {
	case errors.Is(err, auth.ErrTokenExpired):
		return c, &apiError{code: codeTokenExpired, cause: err}
	case errors.Is(err, auth.ErrTokenInvalid), errors.Is(err, auth.ErrTokenKey):
		return c, &apiError{code: fsm.CodeUnauthenticated, cause: err,
			detail: "The access token is not one of this cluster. Log in and send the access token of the answer."}
	}
	return c, err
}

// withKeys parses a token with this node's keys and, where they do not have its key or there are none, with the leader's.
func (s *Server) withKeys(ctx context.Context, parse func(*fsmpb.Keys) (auth.Claims, error)) (auth.Claims, error) {
	if keys, err := s.node.Keys(ctx); err == nil {
		if c, err := parse(keys); !errors.Is(err, auth.ErrTokenKey) {
			return c, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	keys, err := s.leaderKeys(ctx)
	if err != nil {
		return auth.Claims{}, err
	}
	return parse(keys)
}

// keys is this node's copy of the keys or, while it has none, the leader's.
func (s *Server) keys(ctx context.Context) (*fsmpb.Keys, error) {
	if keys, err := s.node.Keys(ctx); err == nil {
		return keys, nil
	}
	return s.leaderKeys(ctx)
}

func (s *Server) leaderKeys(ctx context.Context) (*fsmpb.Keys, error) {
	result, err := s.read(ctx, &fsmpb.Query{Op: &fsmpb.Query_GetKeys{GetKeys: &fsmpb.GetKeys{}}})
	if err != nil {
		return nil, err
	}
	return result.GetKeys(), nil
}
