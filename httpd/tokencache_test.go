package httpd

import (
	"strconv"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func TestTokenCacheKeepsTheLatestUsed(t *testing.T) {
	c := newTokenCache(3)
	keys := &fsmpb.Keys{SigningKeys: []*fsmpb.SigningKey{{Id: "k", Secret: []byte("s")}}}
	now := time.UnixMilli(0)
	for i := range 3 {
		c.put(keys, strconv.Itoa(i), auth.Claims{User: uint64(i), Expires: now.Add(time.Minute)})
	}
	if _, ok := c.get(keys, "0", now); !ok {
		t.Fatal("0 is not there")
	}
	c.put(keys, "3", auth.Claims{User: 3, Expires: now.Add(time.Minute)})
	c.put(keys, "3", auth.Claims{User: 3, Expires: now.Add(time.Minute)})
	for text, want := range map[string]bool{"0": true, "1": false, "2": true, "3": true} {
		if got, ok := c.get(keys, text, now); ok != want || ok && strconv.Itoa(int(got.User)) != text {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
	if len(c.entries) != 3 || c.recent.Len() != 3 {
		t.Errorf("%d entries, %d in order", len(c.entries), c.recent.Len())
	}
	if _, ok := c.get(keys, "0", now.Add(time.Minute)); ok {
		t.Error("an expired token is still good")
	}
	changed := &fsmpb.Keys{SigningKeys: []*fsmpb.SigningKey{{Id: "k", Secret: []byte("other")}}}
	if _, ok := c.get(changed, "0", now); ok {
		t.Error("a token is good under other keys")
	}
	c.put(changed, "4", auth.Claims{})
	if len(c.entries) != 1 || c.recent.Len() != 1 {
		t.Errorf("%d entries, %d in order after the keys changed", len(c.entries), c.recent.Len())
	}
}
