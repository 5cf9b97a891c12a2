package fsm

import (
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// Roles of users.
const (
	RoleAdmin = "admin"
	RoleUser  = "user"
)

func (s *state) rememberUser(u *fsmpb.User) {
	s.users[u.Name], s.userIDs[u.Id] = u, u
	if u.Role == RoleAdmin {
		s.admins++
	}
}

func (s *state) saveUser(u *fsmpb.User) { s.batch.Set(store.UserKey(u.Name), s.encode(u)) }

// userOf returns the user that a principal names, or nil when it is gone or has invalidated its tokens since.
func (s *state) userOf(p *fsmpb.Principal) *fsmpb.User {
	u := s.userIDs[p.GetUser()]
	if u == nil || u.Version != p.GetVersion() {
		return nil
	}
	return u
}

func (s *state) addUser(name, passwordHash, role string) *fsmpb.User {
	u := &fsmpb.User{Id: s.newID(), Name: name, PasswordHash: passwordHash, Version: 1, Role: role}
	s.rememberUser(u)
	s.saveUser(u)
	return u
}

func (s *state) applyRegisterUser(c *fsmpb.RegisterUser) *fsmpb.Result {
	if s.users[c.Name] != nil {
		return refused(CodeUserExists, "User with the given name already exists.")
	}
	if len(s.users) >= MaxUsers {
		return refused(CodeLimitReached, "The cluster has %d users and %d are allowed; delete one first.", len(s.users), MaxUsers)
	}
	return userResult(s.addUser(c.Name, c.PasswordHash, RoleUser))
}

func (s *state) applyChangePassword(c *fsmpb.ChangePassword) *fsmpb.Result {
	u := s.userOf(c.User)
	if u == nil {
		return refused(CodeUserChanged, "The user was changed or deleted while the password was checked; try again.")
	}
	u.PasswordHash = c.PasswordHash
	u.Version++
	s.dropFamilies(u)
	s.saveUser(u)
	return userResult(u)
}

func (s *state) applyDeleteUser(c *fsmpb.DeleteUser) *fsmpb.Result {
	u := s.userOf(c.User)
	if u == nil {
		return refused(CodeUserChanged, "The user was changed or deleted while the password was checked; try again.")
	}
	if u.Role == RoleAdmin && s.admins == 1 {
		return refused(CodeLastAdmin, "%q is the last user with the role admin and can't be deleted.", u.Name)
	}
	s.dropFamilies(u)
	s.batch.Delete(store.UserKey(u.Name))
	delete(s.users, u.Name)
	delete(s.userIDs, u.Id)
	if u.Role == RoleAdmin {
		s.admins--
	}
	return userResult(u)
}

// userResult copies the public part of a record: results are read by other goroutines.
func userResult(u *fsmpb.User) *fsmpb.Result {
	return &fsmpb.Result{Value: &fsmpb.Result_User{User: &fsmpb.User{Id: u.Id, Name: u.Name, Version: u.Version, Role: u.Role}}}
}
