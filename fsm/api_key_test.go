package fsm

import (
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// A cluster that is only read has no entries that could tell it the time, so keys ask for a tick: when one expires, and
// when an hour is over in which one was used. A key that is deleted asks for none.
func TestAPIKeysAskForATickWhenTimeChangesThem(t *testing.T) {
	s := newScenario(t)
	s.run("tick 2h\ncreate-api-key long\ncreate-api-key short days=1\n----\n")
	short, expires := s.principal("k2"), s.now+24*time.Hour.Milliseconds()
	if got := s.fsm.NextDue(); got != expires {
		t.Errorf("with a key that expires at %d the next tick is due at %d", expires, got)
	}
	s.run("touch as=k1\ntouch as=k2\n----\n")
	hour := hourOf(s.now) + time.Hour.Milliseconds()
	if got := s.fsm.NextDue(); got != hour {
		t.Errorf("with keys used before %d the next tick is due at %d", hour, got)
	}
	check := &fsmpb.Query{Principal: short, Op: &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{}}}
	if r := s.fsm.Query(check); r.Error != nil || r.KeyIdle {
		t.Errorf("a key just used: %v", r)
	}
	s.now = hour
	s.run("tick 0s\n----\n")
	if r := s.fsm.Query(check); r.Error != nil || !r.KeyIdle {
		t.Errorf("the same in the next hour: %v", r)
	}
	if got := s.fsm.NextDue(); got != expires {
		t.Errorf("after one tick for all keys that were used the next is due at %d, want %d", got, expires)
	}
	s.run("delete-api-key k2\n----\n")
	if got := s.fsm.NextDue(); got <= expires {
		t.Errorf("after the key was deleted the next tick is due at %d", got)
	}
}
