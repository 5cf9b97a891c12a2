package client

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// Tokens are what a login gives: an access token, which is good for minutes, and a refresh token, which is good for days and
// for one use.
type Tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// TokenStore keeps the tokens of one login. Several clients may share a store, in several processes: a refresh token is used
// once, so whoever renews must be alone.
type TokenStore interface {
	// Update calls renew with the tokens that are kept while nobody else can, and keeps those that it returns.
	Update(ctx context.Context, renew func(Tokens) (Tokens, error)) error
}

// memoryStore keeps tokens for one client. alone is a lock that gives up when its context ends.
type memoryStore struct {
	alone  chan struct{}
	tokens Tokens
}

func newMemoryStore(t Tokens) *memoryStore {
	return &memoryStore{alone: make(chan struct{}, 1), tokens: t}
}

// Update implements TokenStore.
func (s *memoryStore) Update(ctx context.Context, renew func(Tokens) (Tokens, error)) error {
	select {
	case s.alone <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.alone }()
	tokens, err := renew(s.tokens)
	if err == nil {
		s.tokens = tokens
	}
	return err
}

// session holds who is asking and the tokens that say so.
type session struct {
	username, password string
	fixed              bool // the access token is all there is: an API key, or a token without a way to renew it
	store              TokenStore

	mu     sync.Mutex
	access string // a copy of the store's access token, so that requests need not look there
}

func newSession(c *Config) *session {
	s := &session{username: c.Username, password: c.Password, store: c.Tokens}
	switch {
	case c.APIKey != "":
		s.access, s.fixed = c.APIKey, true
	case c.Username == "" && c.Tokens == nil:
		s.access, s.fixed = c.Token, true
	case c.Tokens == nil:
		s.access, s.store = c.Token, newMemoryStore(Tokens{Access: c.Token})
	}
	return s
}

// hasCredentials says whether there is anything to send, or to get a token with.
func (s *session) hasCredentials() bool {
	return s.token() != "" || s.username != "" || s.store != nil && !s.fixed
}

func (s *session) token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access
}

func (s *session) keep(access string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access = access
}

// Token returns what requests are sent with: the API key, or an access token, after a login if there is none yet.
func (c *Client) Token(ctx context.Context) (string, error) {
	if token := c.sessions.token(); token != "" {
		return token, nil
	}
	return c.Renew(ctx, "")
}

// Renew returns an access token other than stale, the one that was refused: by the refresh token if there is one that
// works, else by a login. Concurrent callers share one renewal.
func (c *Client) Renew(ctx context.Context, stale string) (string, error) {
	s := c.sessions
	if s.fixed {
		return "", errors.New("no credentials: set APIKey, Username and Password, or Token")
	}
	var access string
	err := s.store.Update(ctx, func(t Tokens) (Tokens, error) {
		if t.Access != "" && t.Access != stale {
			access = t.Access // somebody else renewed it
			return t, nil
		}
		renewed, err := c.renew(ctx, t.Refresh)
		access = renewed.Access
		return renewed, err
	})
	if err != nil {
		return "", err
	}
	s.keep(access)
	return access, nil
}

// renew uses the refresh token, and logs in only when the cluster refuses it.
func (c *Client) renew(ctx context.Context, refresh string) (Tokens, error) {
	if refresh != "" {
		t, err := c.refresh(ctx, refresh)
		if e, ok := errors.AsType[*Error](err); err == nil || !ok || e.Status != http.StatusUnauthorized || c.sessions.username == "" {
			return t, err
		}
	}
	if c.sessions.username == "" {
		return Tokens{}, errors.New("not logged in: there are no tokens, and no user name and password to get them with")
	}
	return c.logIn(ctx)
}

// The cluster answers the same tokens again for ten seconds after it has taken a refresh token; shown later, the token ends the
// login. A node may work on a request for 4 s, so that the last try begins 5 s after the first and nothing is left after 9 s.
const (
	refreshAttempt = 4 * time.Second
	refreshRetries = 5 * time.Second
)

// refresh may be repeated, but not for long.
func (c *Client) refresh(ctx context.Context, refresh string) (t Tokens, err error) {
	in := struct {
		Refresh string `json:"refresh_token"`
	}{refresh}
	err = c.do(ctx, call{method: http.MethodPost, path: "/auth/refresh", in: in, out: &t, repeatable: true, anonymous: true,
		attempt: refreshAttempt, lastTry: time.Now().Add(refreshRetries)})
	return t, err
}

func (c *Client) logIn(ctx context.Context) (t Tokens, err error) {
	in := credentials{c.sessions.username, c.sessions.password}
	err = c.do(ctx, call{method: http.MethodPost, path: "/auth/login", in: in, out: &t, repeatable: true, anonymous: true})
	return t, err
}

// Login proves the configured user name and password and keeps the tokens for later calls, which also log in by themselves
// when they need to.
func (c *Client) Login(ctx context.Context) error {
	if c.sessions.username == "" {
		return errors.New("no credentials: set Username and Password")
	}
	var access string
	err := c.sessions.store.Update(ctx, func(Tokens) (Tokens, error) {
		t, err := c.logIn(ctx)
		access = t.Access
		return t, err
	})
	if err == nil {
		c.sessions.keep(access)
	}
	return err
}

// Logout ends the login at the cluster, its refresh token and its access tokens, and forgets the tokens. Without a login there
// is nothing to do.
func (c *Client) Logout(ctx context.Context) error {
	s := c.sessions
	if s.fixed {
		return errors.New("an API key or a single access token is no login that could be ended")
	}
	err := s.store.Update(ctx, func(t Tokens) (Tokens, error) {
		if t.Refresh == "" {
			return Tokens{}, nil
		}
		in := struct {
			Refresh string `json:"refresh_token"`
		}{t.Refresh}
		err := c.do(ctx, call{method: http.MethodPost, path: "/auth/logout", in: in, repeatable: true, anonymous: true})
		if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusUnauthorized {
			err = nil // it had ended before
		}
		return Tokens{}, err
	})
	if err == nil {
		s.keep("")
	}
	return err
}
