package httpd

import (
	"context"
	"errors"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// credentials is the JSON of login and delete.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// check refuses credentials that are not there.
func (c *credentials) check() error {
	if err := required("username", c.Username); err != nil {
		return err
	}
	return required("password", c.Password)
}

// named is the answer that repeats the user's name.
type named struct {
	Username string `json:"username"`
}

// verify returns the principal of the user whose name and password these are, as of a moment after the call. What the
// caller then proposes for it is refused if the user has changed meanwhile.
func (s *Server) verify(ctx context.Context, r *request, name, password string) (*fsmpb.Principal, error) {
	u, err := s.userNamed(ctx, name)
	if err != nil {
		return nil, err
	}
	if u == nil {
		// As long as a real check, so that time does not tell who exists.
		if err := s.hasher.VerifyUnknown(ctx, password); err != nil {
			return nil, hashError(err)
		}
		return nil, s.wrongPassword(r, name)
	}
	ok, err := s.hasher.Verify(ctx, password, u.GetPasswordHash())
	if err != nil {
		return nil, hashError(err)
	}
	if !ok {
		return nil, s.wrongPassword(r, name)
	}
	s.metrics.proved(byPassword, true)
	return &fsmpb.Principal{Name: u.GetName(), User: u.GetId(), Version: u.GetVersion()}, nil
}

// wrongPassword refuses a caller, counts that and says where it came from.
func (s *Server) wrongPassword(r *request, name string) error {
	s.metrics.proved(byPassword, false)
	s.failedLogins.add(r, name)
	return &apiError{code: codeInvalidCredentials}
}

// userNamed reads a user; nil when there is none.
func (s *Server) userNamed(ctx context.Context, name string) (*fsmpb.User, error) {
	if !isUserName(name) {
		return nil, nil
	}
	result, err := s.read(ctx, &fsmpb.Query{Op: &fsmpb.Query_GetUser{GetUser: &fsmpb.GetUser{Name: name}}})
	if hasCode(err, fsm.CodeUserNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return result.GetUser(), nil
}

// hashError translates an error of the hasher. Nothing was proposed yet when there is one.
func hashError(err error) error {
	switch {
	case errors.Is(err, auth.ErrBusy):
		return &apiError{code: codeBusy, detail: "Too many passwords are being checked at the moment. Try again in a second.", cause: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &apiError{code: cluster.CodeTimeout, detail: "The password could not be checked in time. Try again.", cause: err}
	}
	return &apiError{code: codeInternal, cause: err}
}
