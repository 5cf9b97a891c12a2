package fsm

import (
	"crypto/sha256"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// An API key is found by the SHA-256 of its text, which is all that is kept of it: 256 random bits need no slow hash. It
// acts for its user without a log-in, survives a change of the password, and ends with the user.

const maxHintBytes = 16

// hourOf is the beginning of the hour that a time in milliseconds is in: uses of API keys are noted no finer.
func hourOf(ms int64) int64 { return ms - ms%time.Hour.Milliseconds() }

func expired(k *fsmpb.APIKey, now int64) bool { return k.ExpiresMs != 0 && k.ExpiresMs <= now }

// idle tells whether the use of a key in this hour is still to be noted.
func idle(k *fsmpb.APIKey, now int64) bool { return k.LastUsedMs < hourOf(now) }

func expiryDue(k *fsmpb.APIKey) store.Due {
	return store.Due{At: k.ExpiresMs, Kind: store.DueClock, Owner: k.User, Sequence: k.Id}
}

// apiKeyCache holds keys that were used lately: reading one from the store costs as much as the rest of a send. It is
// emptied when it is full, and what it answers does not depend on its size.
type apiKeyCache struct {
	max   int
	known map[string]*fsmpb.APIKey // by hash
}

func (c *apiKeyCache) put(k *fsmpb.APIKey) {
	if len(c.known) >= c.max {
		clear(c.known)
	}
	if c.max > 0 {
		c.known[string(k.Hash)] = k
	}
}

func (s *state) apiKey(hash []byte) *fsmpb.APIKey {
	if k := s.apiKeys.known[string(hash)]; k != nil {
		return k
	}
	key := store.APIKey(hash)
	v, ok := s.batch.Get(key)
	if !ok {
		return nil
	}
	k := &fsmpb.APIKey{}
	s.decode(key, v, k)
	s.apiKeys.put(k)
	return k
}

func (s *state) saveAPIKey(k *fsmpb.APIKey) {
	s.batch.Set(store.APIKey(k.Hash), s.encode(k))
	s.apiKeys.put(k)
}

// noteUse records the hour in which a key is used, once, and has the clock moved on when the hour is over: else a cluster
// that is only read would go on believing that the hour lasts.
func (s *state) noteUse(k *fsmpb.APIKey) {
	if !idle(k, s.now) {
		return
	}
	k.LastUsedMs = hourOf(s.now)
	s.saveAPIKey(k)
	next := store.Due{At: k.LastUsedMs + time.Hour.Milliseconds(), Kind: store.DueClock}
	if _, ok := s.batch.Get(next.Key()); !ok { // one for all keys, and a window must hold no item twice
		s.addDue(next)
	}
}

func (s *state) applyCreateAPIKey(p *fsmpb.Principal, u *fsmpb.User, c *fsmpb.CreateAPIKey) *fsmpb.Result {
	if err := logInOnly(p, "create API keys"); err != nil {
		return &fsmpb.Result{Error: err}
	}
	switch {
	case c.Name == "" || len(c.Name) > MaxAPIKeyNameBytes:
		return refused(CodeInvalid, "The name of an API key must have 1 to %d bytes; this one has %d.", MaxAPIKeyNameBytes, len(c.Name))
	case len(c.Hash) != sha256.Size || len(c.Hint) > maxHintBytes:
		return refused(CodeInvalid, "An API key needs a hash of %d bytes and a hint of at most %d.", sha256.Size, maxHintBytes)
	case c.ExpiresInDays > MaxAPIKeyDays:
		return refused(CodeInvalid, "An API key can be valid for at most %d days, or without end; %d were asked for.", MaxAPIKeyDays, c.ExpiresInDays)
	case s.apiKey(c.Hash) != nil:
		return refused(CodeInvalid, "This API key exists already; make another one.")
	}
	if u.ApiKeys >= MaxAPIKeysPerUser {
		return limitReached("The user", int(u.ApiKeys), "API keys", MaxAPIKeysPerUser, "delete one first")
	}
	k := &fsmpb.APIKey{Id: s.newID(), User: u.Id, UserName: u.Name, Name: c.Name, Hash: c.Hash, Hint: c.Hint, CreatedMs: s.now}
	if c.ExpiresInDays > 0 {
		k.ExpiresMs = s.now + int64(c.ExpiresInDays)*24*time.Hour.Milliseconds()
		s.addDue(expiryDue(k))
	}
	s.saveAPIKey(k)
	s.batch.Set(store.APIKeyOf(k.User, k.Id), k.Hash)
	u.ApiKeys++
	s.saveUser(u)
	return &fsmpb.Result{Value: &fsmpb.Result_ApiKey{ApiKey: publicAPIKey(k)}}
}

func (s *state) applyDeleteAPIKey(caller *fsmpb.User, c *fsmpb.DeleteAPIKey) *fsmpb.Result {
	owner := caller
	if c.UserName != "" && c.UserName != caller.Name {
		if err := adminOnly(caller); err != nil {
			return &fsmpb.Result{Error: err}
		}
		if owner = s.users[c.UserName]; owner == nil {
			return &fsmpb.Result{Error: userNotFound()}
		}
	}
	hash, ok := s.batch.Get(store.APIKeyOf(owner.Id, c.Id))
	if !ok {
		return refused(CodeAPIKeyNotFound, "API key not found: user %q has none with this id.", owner.Name)
	}
	s.dropAPIKey(owner, c.Id, hash)
	owner.ApiKeys--
	s.saveUser(owner)
	return &fsmpb.Result{}
}

// dropAPIKeys ends every API key of a user who is about to be deleted.
func (s *state) dropAPIKeys(u *fsmpb.User) {
	hashes := map[uint64][]byte{}
	var ids []uint64
	lower, upper := store.APIKeysOf(u.Id, 0)
	s.batch.Scan(lower, upper, func(key, hash []byte) bool {
		id := store.APIKeyID(key)
		ids, hashes[id] = append(ids, id), append([]byte(nil), hash...)
		return true
	})
	for _, id := range ids {
		s.dropAPIKey(u, id, hashes[id])
	}
}

func (s *state) dropAPIKey(u *fsmpb.User, id uint64, hash []byte) {
	if k := s.apiKey(hash); k != nil && k.ExpiresMs != 0 {
		s.removeDue(expiryDue(k))
	}
	delete(s.apiKeys.known, string(hash))
	s.batch.Delete(store.APIKey(hash))
	s.batch.Delete(store.APIKeyOf(u.Id, id))
}

// publicAPIKey is what others may see of a key: all but its hash.
func publicAPIKey(k *fsmpb.APIKey) *fsmpb.APIKey {
	return &fsmpb.APIKey{
		Id: k.Id, User: k.User, UserName: k.UserName, Name: k.Name, Hint: k.Hint,
		CreatedMs: k.CreatedMs, ExpiresMs: k.ExpiresMs, LastUsedMs: k.LastUsedMs,
	}
}

func (v *View) apiKey(hash []byte) *fsmpb.APIKey { return get(v, store.APIKey(hash), &fsmpb.APIKey{}) }

// APIKeys returns up to limit keys of a user whose ids are greater than after, without hashes, and whether there are more.
func (v *View) APIKeys(user, after uint64, limit int) (keys []*fsmpb.APIKey, more bool) {
	if v.r == nil {
		return nil, false
	}
	lower, upper := store.APIKeysOf(user, after)
	v.r.Scan(lower, upper, func(_, hash []byte) bool {
		if len(keys) == limit {
			more = true
			return false
		}
		if k := v.apiKey(hash); k != nil {
			keys = append(keys, publicAPIKey(k))
		}
		return true
	})
	return keys, more
}

// listAPIKeys answers with the caller's keys, or for an admin with those of anybody.
func (v *View) listAPIKeys(caller *fsmpb.User, q *fsmpb.ListAPIKeys) *fsmpb.QueryResult {
	owner := caller
	if q.UserName != "" && q.UserName != caller.Name {
		if err := adminOnly(caller); err != nil {
			return &fsmpb.QueryResult{Error: err}
		}
		if owner = v.User(q.UserName); owner == nil {
			return &fsmpb.QueryResult{Error: userNotFound()}
		}
	}
	keys, more := v.APIKeys(owner.Id, q.After, int(q.Limit))
	return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_ApiKeys{ApiKeys: &fsmpb.APIKeyList{ApiKeys: keys, More: more}}}
}
