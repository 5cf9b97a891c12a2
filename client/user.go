package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Role is what a user may do.
type Role string

const (
	// RoleUser may use every queue.
	RoleUser Role = "user"
	// RoleAdmin may also manage users and the cluster.
	RoleAdmin Role = "admin"
)

// User is a user as admins see it.
type User struct {
	Username string    `json:"username"`
	Role     Role      `json:"role"`
	APIKeys  int64     `json:"api_keys"` // how many it has
	Created  time.Time `json:"created,omitzero"`
}

// credentials is the JSON of register, login and delete user.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Register makes a new user. An existing name is refused with status 409; without an admin's credentials it is refused with
// CodeRegistrationClosed where admins make the users. The credentials are only used there: they may be those of the user who
// is about to be.
func (c *Client) Register(ctx context.Context, username, password string) error {
	register := call{method: http.MethodPost, path: "/auth/register", in: credentials{username, password}, anonymous: true}
	err := c.do(ctx, register)
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeRegistrationClosed || !c.sessions.hasCredentials() {
		return err
	}
	register.anonymous = false
	return c.do(ctx, register)
}

// ChangePassword gives a user another password, which ends its logins but not its API keys.
func (c *Client) ChangePassword(ctx context.Context, username, oldPassword, newPassword string) error {
	in := struct {
		Username string `json:"username"`
		Old      string `json:"old_password"`
		New      string `json:"new_password"`
	}{username, oldPassword, newPassword}
	return c.do(ctx, call{method: http.MethodPost, path: "/auth/change-password", in: in, anonymous: true})
}

// ResetPassword gives a user another password without the old one; admins may.
func (c *Client) ResetPassword(ctx context.Context, username, newPassword string) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/auth/reset-password", in: newPasswordOf(username, newPassword)})
}

// ResetPasswordLocally is ResetPassword without an admin's credentials: secret is the content of the file local-secret in the
// data directory of the node that answers, which must be on this machine. A secret is good for one use.
func (c *Client) ResetPasswordLocally(ctx context.Context, secret, username, newPassword string) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/auth/reset-password", in: newPasswordOf(username, newPassword), authorization: "Local " + secret})
}

type passwordReset struct {
	Username string `json:"username"`
	New      string `json:"new_password"`
}

func newPasswordOf(username, password string) passwordReset { return passwordReset{username, password} }

// DeleteUser removes a user with its logins and API keys. Its queues belong to all users and stay.
func (c *Client) DeleteUser(ctx context.Context, username, password string) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/auth/delete", in: credentials{username, password}, anonymous: true})
}

// Users goes through all users in the order of their names; admins may. It ends after an error.
func (c *Client) Users(ctx context.Context) iter.Seq2[User, error] {
	return pages(ctx, c, "/auth/users", nil, func(p *struct {
		Users []User `json:"users"`
	}) []User {
		return p.Users
	}, func(u User) string { return u.Username })
}

// SetRole makes a user an admin or an ordinary user; admins may. The last admin stays one.
func (c *Client) SetRole(ctx context.Context, username string, role Role) error {
	in := struct {
		Role Role `json:"role"`
	}{role}
	return c.do(ctx, call{method: http.MethodPatch, path: "/auth/users/" + url.PathEscape(username), in: in, repeatable: true})
}
