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

func (s *state) addUser(name, passwordHash, role string) *fsmpb.User {
	u := &fsmpb.User{Id: s.newID(), Name: name, PasswordHash: passwordHash, Version: 1, Role: role, CreatedMs: s.now}
	s.rememberUser(u)
	s.saveUser(u)
	return u
}

func (s *state) applyRegisterUser(p *fsmpb.Principal, c *fsmpb.RegisterUser) *fsmpb.Result {
	if c.ByAdmin {
		if _, err := s.adminCaller(p); err != nil {
			return &fsmpb.Result{Error: err}
		}
	}
	if s.users[c.Name] != nil {
		return refused(CodeUserExists, "User with the given name already exists.")
	}
	if len(s.users) >= MaxUsers {
		return limitReached("The cluster", len(s.users), "users", MaxUsers, "delete one first")
	}
	return userResult(s.addUser(c.Name, c.PasswordHash, RoleUser))
}

func (s *state) applyChangePassword(c *fsmpb.ChangePassword) *fsmpb.Result {
	u := s.userOf(c.User)
	if u == nil {
		return refused(CodeUserChanged, "The user was changed or deleted while the password was checked; try again.")
	}
	s.setPassword(u, c.PasswordHash)
	return userResult(u)
}

// applyResetPassword is for the user who lost the password: an admin vouches, or who can read a member's data directory.
func (s *state) applyResetPassword(p *fsmpb.Principal, c *fsmpb.ResetPassword) *fsmpb.Result {
	if !c.Local {
		if _, err := s.adminCaller(p); err != nil {
			return &fsmpb.Result{Error: err}
		}
		if err := logInOnly(p, "set passwords"); err != nil {
			return &fsmpb.Result{Error: err}
		}
	}
	u := s.users[c.Name]
	if u == nil {
		return &fsmpb.Result{Error: userNotFound()}
	}
	s.setPassword(u, c.PasswordHash)
	return userResult(u)
}

// setPassword ends all log-ins of the user and the access tokens given with them; API keys stay.
func (s *state) setPassword(u *fsmpb.User, hash string) {
	u.PasswordHash = hash
	u.Version++
	s.dropFamilies(u)
	s.saveUser(u)
}

// applySetRole leaves tokens valid: what a role allows is decided by the record, not by the token.
func (s *state) applySetRole(p *fsmpb.Principal, caller *fsmpb.User, c *fsmpb.SetRole) *fsmpb.Result {
	if err := adminOnly(caller); err != nil {
		return &fsmpb.Result{Error: err}
	}
	if c.Role != RoleAdmin && c.Role != RoleUser {
		return refused(CodeInvalid, "role must be %s or %s.", RoleAdmin, RoleUser)
	}
	if c.Role == RoleAdmin {
		if err := logInOnly(p, "make admins"); err != nil {
			return &fsmpb.Result{Error: err}
		}
	}
	u := s.users[c.Name]
	switch {
	case u == nil:
		return &fsmpb.Result{Error: userNotFound()}
	case u.Role == c.Role:
		return userResult(u)
	case u.Role != RoleAdmin:
		s.admins++
	case s.admins == 1:
		return refused(CodeLastAdmin, "%q is the last user with the role admin; give that role to another user first.", u.Name)
	default:
		s.admins--
	}
	u.Role = c.Role
	s.saveUser(u)
	return userResult(u)
}

func (s *state) applyDeleteUser(c *fsmpb.DeleteUser) *fsmpb.Result {
	u := s.userOf(c.User)
	if u == nil {
		return refused(CodeUserChanged, "The user was changed or deleted while the password was checked; try again.")
	}
	if u.Role == RoleAdmin && s.admins == 1 {
		return refused(CodeLastAdmin, "%q is the last user with the role admin and can't be deleted; give that role to another user first.", u.Name)
	}
	s.dropFamilies(u)
	s.dropAPIKeys(u)
	s.dropScope(s.scopes[u.Id])
	s.batch.Delete(store.UserKey(u.Name))
	delete(s.users, u.Name)
	delete(s.userIDs, u.Id)
	if u.Role == RoleAdmin {
		s.admins--
	}
	return userResult(u)
}

// publicUser copies what others may see of a record: all but the password's hash. Results are read by other goroutines.
func publicUser(u *fsmpb.User) *fsmpb.User {
	return &fsmpb.User{Id: u.Id, Name: u.Name, Version: u.Version, Role: u.Role, ApiKeys: u.ApiKeys, CreatedMs: u.CreatedMs}
}

func userResult(u *fsmpb.User) *fsmpb.Result {
	return &fsmpb.Result{Value: &fsmpb.Result_User{User: publicUser(u)}}
}

func userNotFound() *fsmpb.Error { return refuse(CodeUserNotFound, "There is no user with this name.") }

// Users returns up to limit users whose names come after a name, sorted and without password hashes, and whether there
// are more.
func (v *View) Users(after string, limit int) (users []*fsmpb.User, more bool) {
	lower, upper := store.UsersAfter(after)
	records := list(v, lower, upper, func() *fsmpb.User { return &fsmpb.User{} }, limit+1)
	if len(records) > limit {
		records, more = records[:limit], true
	}
	for _, u := range records {
		users = append(users, publicUser(u))
	}
	return users, more
}
