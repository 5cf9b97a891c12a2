package httpd

import (
	"bytes"
	"container/list"
	"strings"
	"sync"
	"time"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// maxCachedTokens bounds the cache to 16 MiB even with the longest tokens.
const maxCachedTokens = 4096

// tokenCache remembers what access tokens say, so that a token's signature is checked once and not with every request.
// Only tokens that were good get in. It forgets everything when the keys change. mu guards all fields.
type tokenCache struct {
	mu      sync.Mutex
	size    int
	keys    []auth.Key               // that made the entries
	entries map[string]*list.Element // of cachedToken, by the token's text
	recent  *list.List               // the latest used first
}

type cachedToken struct {
	text   string
	claims auth.Claims
}

func newTokenCache(size int) *tokenCache {
	return &tokenCache{size: size, entries: make(map[string]*list.Element), recent: list.New()}
}

// get returns what a token says that was found good under these keys and has not expired.
func (c *tokenCache) get(keys *fsmpb.Keys, text string, now time.Time) (auth.Claims, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !sameKeys(c.keys, keys) {
		return auth.Claims{}, false
	}
	e, ok := c.entries[text]
	if !ok {
		return auth.Claims{}, false
	}
	t := e.Value.(*cachedToken)
	if !now.Before(t.claims.Expires) {
		return auth.Claims{}, false
	}
	c.recent.MoveToFront(e)
	return t.claims, true
}

// put remembers a token that was found good under these keys.
func (c *tokenCache) put(keys *fsmpb.Keys, text string, claims auth.Claims) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !sameKeys(c.keys, keys) {
		c.keys = authKeys(keys)
		clear(c.entries)
		c.recent.Init()
	}
	if _, ok := c.entries[text]; ok {
		return
	}
	if c.recent.Len() >= c.size {
		oldest := c.recent.Remove(c.recent.Back()).(*cachedToken)
		delete(c.entries, oldest.text)
	}
	text = strings.Clone(text)
	c.entries[text] = c.recent.PushFront(&cachedToken{text: text, claims: claims})
}

func sameKeys(have []auth.Key, keys *fsmpb.Keys) bool {
	if len(have) != len(keys.GetSigningKeys()) {
		return false
	}
	for i, k := range keys.GetSigningKeys() {
		if have[i].ID != k.GetId() || !bytes.Equal(have[i].Secret, k.GetSecret()) {
			return false
		}
	}
	return true
}

// authKeys is the signing keys as package auth wants them.
func authKeys(keys *fsmpb.Keys) []auth.Key {
	out := make([]auth.Key, 0, len(keys.GetSigningKeys()))
	for _, k := range keys.GetSigningKeys() {
		out = append(out, auth.Key{ID: k.GetId(), Secret: k.GetSecret()})
	}
	return out
}
