package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// userList is the answer to GET /v1/auth/users.
type userList struct {
	Users []userView `json:"users"`
}

// userView is the JSON of a user.
type userView struct {
	Username string     `json:"username"`
	Role     string     `json:"role"`
	APIKeys  uint32     `json:"api_keys"` // how many there are, expired ones included
	Created  *timestamp `json:"created"`  // null: not known
}

func (s *Server) listUsers(ctx context.Context, r *request) (any, error) {
	p, at, read, err := s.list(r)
	if err != nil {
		return nil, err
	}
	users, next, err := collect(at, func(after string, limit uint32) ([]*fsmpb.User, bool, error) {
		result, err := read(ctx, &fsmpb.Query{
			Principal: r.principal(),
			Op:        &fsmpb.Query_ListUsers{ListUsers: &fsmpb.ListUsers{After: after, Limit: limit}},
		})
		return result.GetUsers().GetUsers(), result.GetUsers().GetMore(), err
	}, (*fsmpb.User).GetName)
	if err != nil {
		return nil, err
	}
	out := userList{Users: make([]userView, 0, len(users))}
	for _, u := range users {
		out.Users = append(out.Users, userView{Username: u.GetName(), Role: u.GetRole(), APIKeys: u.GetApiKeys(), Created: timestampOrNull(u.GetCreatedMs())})
	}
	return pageOf(r, p, out, next), nil
}
