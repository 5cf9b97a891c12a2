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

// authenticate finds out who sent the request: it checks a token's signature and time, and the shape of an API key. Whether
// the user, the log-in or the key still exists, and which role the user has, is decided with the command or query that
// carries the principal.
func (s *Server) authenticate(r *request) error {
	text, err := credential(r.http.Header)
	if err != nil {
		return err
	}
	if strings.HasPrefix(text, auth.APIKeyPrefix) {
		r.proof = byAPIKey
		hash, ok := auth.HashAPIKey(text)
		if !ok {
			return &apiError{code: fsm.CodeUnauthenticated,
				detail: "This is no whole API key: one is " + auth.APIKeyPrefix + " and 43 characters more. Send it as it was shown when it was created."}
		}
		r.apiKey = hash
		return nil
	}
	r.proof = byToken
	r.caller, err = s.claims(r.ctx, text)
	return err
}

// credential takes the token or the API key out of the headers. Whoever sends two does not know who is asking.
func credential(h http.Header) (string, error) {
	var found []string
	for _, value := range h.Values("Authorization") {
		scheme, text, _ := strings.Cut(value, " ")
		if text = strings.TrimSpace(text); text == "" || !strings.EqualFold(scheme, "Bearer") {
			return "", missingCredential()
		}
		found = append(found, text)
	}
	for _, value := range h.Values("X-Api-Key") {
		if value = strings.TrimSpace(value); !strings.HasPrefix(value, auth.APIKeyPrefix) {
			return "", &apiError{code: fsm.CodeUnauthenticated,
				detail: "X-API-Key must be an API key, which begins with " + auth.APIKeyPrefix + "; an access token is sent as \"Authorization: Bearer <token>\"."}
		}
		found = append(found, value)
	}
	if len(found) == 0 {
		return "", missingCredential()
	}
	for _, other := range found[1:] {
		if other != found[0] {
			return "", &apiError{code: fsm.CodeUnauthenticated, detail: "The request has two different credentials in Authorization and X-API-Key: send one."}
		}
	}
	return found[0], nil
}

func missingCredential() error {
	return &apiError{code: fsm.CodeUnauthenticated, detail: "Authentication required: send the access token of a log-in or an API key as " +
		"\"Authorization: Bearer <token or key>\", or the key as \"X-API-Key: <key>\"."}
}

// hasCredential says whether the request says at all who sent it.
func hasCredential(h http.Header) bool {
	return len(h.Values("Authorization")) > 0 || len(h.Values("X-Api-Key")) > 0
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
