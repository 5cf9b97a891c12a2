package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// roleChange is the JSON of PATCH /v1/auth/users/{name}.
type roleChange struct {
	Role string `json:"role"`
}

// roleOf is the answer to it.
type roleOf struct {
	Username string `json:"username"`
	Role     string `json:"role"`
}

func (s *Server) setRole(ctx context.Context, r *request) (any, error) {
	var in roleChange
	if err := decodeStrict(r.body, &in); err != nil {
		return nil, err
	}
	if in.Role != fsm.RoleAdmin && in.Role != fsm.RoleUser {
		return nil, invalid("role", "be %s or %s", fsm.RoleAdmin, fsm.RoleUser)
	}
	name := r.param("name")
	if !isUserName(name) {
		return nil, &apiError{code: fsm.CodeUserNotFound}
	}
	result, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_SetRole{SetRole: &fsmpb.SetRole{Name: name, Role: in.Role}},
	})
	if err != nil {
		return nil, err
	}
	return roleOf{Username: result.GetUser().GetName(), Role: result.GetUser().GetRole()}, nil
}
