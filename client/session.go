package client

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// session holds who is asking and the token that says so. mu also makes concurrent callers share one login.
type session struct {
	username, password string

	mu    sync.Mutex
	token string
}

func (s *session) canLogIn() bool { return s.username != "" }

// credentials is the JSON of register, login and delete user.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Register makes a new user. An existing name is refused with status 409.
func (c *Client) Register(ctx context.Context, username, password string) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/auth/register", in: credentials{username, password}, anonymous: true})
}

// Login proves the configured user name and password and keeps the access token for later calls, which also log in by
// themselves when they need to.
func (c *Client) Login(ctx context.Context) error {
	c.sessions.mu.Lock()
	defer c.sessions.mu.Unlock()
	return c.loginLocked(ctx)
}

// Token returns the access token, after a login if there is none yet.
func (c *Client) Token(ctx context.Context) (string, error) {
	c.sessions.mu.Lock()
	defer c.sessions.mu.Unlock()
	if c.sessions.token != "" {
		return c.sessions.token, nil
	}
	if err := c.loginLocked(ctx); err != nil {
		return "", err
	}
	return c.sessions.token, nil
}

// Renew returns an access token other than stale, the one that was refused. Concurrent callers share one login.
func (c *Client) Renew(ctx context.Context, stale string) (string, error) {
	c.sessions.mu.Lock()
	defer c.sessions.mu.Unlock()
	if c.sessions.token == stale {
		if err := c.loginLocked(ctx); err != nil {
			return "", err
		}
	}
	return c.sessions.token, nil
}

func (c *Client) loginLocked(ctx context.Context) error {
	if !c.sessions.canLogIn() {
		return errors.New("no credentials: set Username and Password, or Token")
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	in := credentials{c.sessions.username, c.sessions.password}
	err := c.do(ctx, call{method: http.MethodPost, path: "/auth/login", in: in, out: &tokens, repeatable: true, anonymous: true})
	if err != nil {
		return err
	}
	c.sessions.token = tokens.AccessToken
	return nil
}
