package fsm

import (
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// A principal is who sent a command or query, as far as the edge can tell: the content of a token whose signature is good,
// or the hash of an API key. Whether that still means anybody is decided here, by the state.

// identify returns the user that a principal names, nil when there is none any more, and the API key that it came with.
func (s *state) identify(p *fsmpb.Principal) (*fsmpb.User, *fsmpb.APIKey) {
	if len(p.GetApiKey()) > 0 {
		k := s.apiKey(p.ApiKey)
		if k == nil || expired(k, s.now) {
			return nil, nil
		}
		return s.userIDs[k.User], k
	}
	u := s.userIDs[p.GetUser()]
	if u == nil || u.Version != p.GetVersion() || s.isEnded(p.GetFamily()) {
		return nil, nil
	}
	return u, nil
}

// userOf is identify for a principal whose password was just checked.
func (s *state) userOf(p *fsmpb.Principal) *fsmpb.User {
	u, _ := s.identify(p)
	return u
}

// caller identifies the sender of a command and notes the use of its API key. The error is nil or the refusal.
func (s *state) caller(p *fsmpb.Principal) (*fsmpb.User, *fsmpb.Error) {
	u, k := s.identify(p)
	if u == nil {
		return nil, unauthenticated(p)
	}
	if k != nil {
		s.noteUse(k)
	}
	return u, nil
}

// adminCaller is caller for what only admins may do.
func (s *state) adminCaller(p *fsmpb.Principal) (*fsmpb.User, *fsmpb.Error) {
	u, err := s.caller(p)
	if err != nil {
		return nil, err
	}
	return u, adminOnly(u)
}

// identify is state.identify on committed records.
func (v *View) identify(p *fsmpb.Principal) (*fsmpb.User, *fsmpb.APIKey) {
	if len(p.GetApiKey()) > 0 {
		k := v.apiKey(p.ApiKey)
		if k == nil || expired(k, v.now()) {
			return nil, nil
		}
		if u := v.User(k.UserName); u != nil && u.Id == k.User {
			return u, k
		}
		return nil, nil
	}
	u := v.User(p.GetName())
	if u == nil || u.Id != p.GetUser() || u.Version != p.GetVersion() || v.isEnded(p.GetFamily()) {
		return nil, nil
	}
	return u, nil
}

func (v *View) isEnded(family uint64) bool {
	if family == 0 {
		return false
	}
	_, ended := v.r.Get(store.EndedKey(family))
	return ended
}

// adminOnly refuses everybody without the role admin.
func adminOnly(u *fsmpb.User) *fsmpb.Error {
	if u.Role != RoleAdmin {
		return refuse(CodeForbidden, "This needs the admin role.")
	}
	return nil
}

// logInOnly refuses API keys what leads to more of the same rights: who finds a key could make others, or log in as an
// admin, and deleting the key that was found would not end that.
func logInOnly(p *fsmpb.Principal, what string) *fsmpb.Error {
	if len(p.GetApiKey()) > 0 {
		return refuse(CodeForbidden, "An API key can't %s: log in and use the access token.", what)
	}
	return nil
}

func unauthenticated(p *fsmpb.Principal) *fsmpb.Error {
	if len(p.GetApiKey()) > 0 {
		return refuse(CodeUnauthenticated, "The API key is not valid: it was deleted, has expired, or its user was deleted. Log in and create another one.")
	}
	return refuse(CodeUnauthenticated, "The token is no longer valid: it was logged out, its user was deleted or the password changed. Log in again.")
}
