package fsm

import (
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// A log-in starts a family of refresh tokens. Each refresh makes the next generation; a generation that is presented
// again after RefreshGrace was stolen or replayed, and ends the family (RFC 9700, section 4.14.2).

// maxRecentRotations bounds what a client can pile up that refreshes as fast as it can.
const maxRecentRotations = 20

func familyDeadline(f *fsmpb.TokenFamily) int64 { return f.RotatedMs + RefreshTokenLife.Milliseconds() }

func familyDue(f *fsmpb.TokenFamily) store.Due {
	return store.Due{At: familyDeadline(f), Kind: store.DueFamily, Owner: f.User, Sequence: f.Id}
}

func (s *state) family(user, id uint64) *fsmpb.TokenFamily {
	key := store.FamilyKey(user, id)
	v, ok := s.batch.Get(key)
	if !ok {
		return nil
	}
	f := &fsmpb.TokenFamily{}
	s.decode(key, v, f)
	return f
}

func (s *state) saveFamily(f *fsmpb.TokenFamily) {
	s.batch.Set(store.FamilyKey(f.User, f.Id), s.encode(f))
	s.addDue(familyDue(f))
}

// dropFamily removes a log-in whose access tokens have expired; endFamily is for the others.
func (s *state) dropFamily(f *fsmpb.TokenFamily) {
	s.batch.Delete(store.FamilyKey(f.User, f.Id))
	s.removeDue(familyDue(f))
	if u := s.userIDs[f.User]; u != nil && u.Families > 0 {
		u.Families--
		s.saveUser(u)
	}
}

// dropFamilies ends every log-in of a user. Their due keys stay behind as hints.
func (s *state) dropFamilies(u *fsmpb.User) {
	s.batch.DeleteRange(store.Families(u.Id))
	u.Families = 0
}

func (s *state) applyLogin(c *fsmpb.Login) *fsmpb.Result {
	u := s.userOf(c.User)
	if u == nil {
		return refused(CodeUserChanged, "The user was changed or deleted while the password was checked; try again.")
	}
	if u.Families >= MaxFamiliesPerUser {
		s.dropOldestFamily(u)
	}
	f := &fsmpb.TokenFamily{
		Id: s.newID(), User: u.Id, Generation: 1, RotatedMs: s.now,
		UserVersion: u.Version, UserName: u.Name, Role: u.Role,
	}
	u.Families++
	s.saveUser(u)
	s.saveFamily(f)
	return familyResult(f)
}

func (s *state) dropOldestFamily(u *fsmpb.User) {
	var oldest *fsmpb.TokenFamily
	lower, upper := store.Families(u.Id)
	s.batch.Scan(lower, upper, func(key, value []byte) bool {
		oldest = &fsmpb.TokenFamily{}
		s.decode(key, value, oldest)
		return false
	})
	if oldest != nil {
		s.endFamily(oldest)
	}
}

func (s *state) applyRefreshToken(c *fsmpb.RefreshToken) *fsmpb.Result {
	u, f := s.userIDs[c.User], s.family(c.User, c.Family)
	if u == nil || f == nil || f.UserVersion != u.Version {
		return refused(CodeRefreshInvalid, "The refresh token is no longer valid; log in again.")
	}
	if c.Generation == f.Generation {
		s.removeDue(familyDue(f))
		s.rotate(f, u)
		s.saveFamily(f)
		return familyResult(f)
	}
	for _, r := range f.Recent {
		if r.Generation == c.Generation+1 && s.now-r.RotatedMs <= RefreshGrace.Milliseconds() {
			f.Generation, f.RotatedMs = r.Generation, r.RotatedMs
			return familyResult(f) // its first answer may have been lost: the same pair again
		}
	}
	s.endFamily(f)
	return refused(CodeRefreshReused, "The refresh token was used before; all tokens of this log-in are revoked, log in again.")
}

// applyLogout ends a log-in, whichever of its refresh tokens was shown. One that has ended already is no error.
func (s *state) applyLogout(c *fsmpb.Logout) *fsmpb.Result {
	if f := s.family(c.User, c.Family); f != nil {
		s.endFamily(f)
	}
	return &fsmpb.Result{}
}

// rotate makes the next generation and remembers when, as long as its predecessor may be used again.
func (s *state) rotate(f *fsmpb.TokenFamily, u *fsmpb.User) {
	f.Generation++
	f.RotatedMs = s.now
	f.Role = u.Role
	kept := f.Recent[:0]
	for _, r := range f.Recent {
		if s.now-r.RotatedMs <= RefreshGrace.Milliseconds() {
			kept = append(kept, r)
		}
	}
	if len(kept) == maxRecentRotations {
		kept = kept[1:]
	}
	f.Recent = append(kept, &fsmpb.Rotation{Generation: f.Generation, RotatedMs: s.now})
}

func familyResult(f *fsmpb.TokenFamily) *fsmpb.Result {
	return &fsmpb.Result{Value: &fsmpb.Result_Family{Family: f}}
}
