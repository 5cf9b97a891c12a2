package cluster

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// A read and an empty receive are no entries; the first one in an hour with an API key makes one, so that its use is known.
func TestTheUseOfAnAPIKeyIsNotedOnce(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	l := c.nodes[leader].replica.Load().leadership.Load()
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	create := func(b byte) *fsmpb.Principal {
		hash := bytes.Repeat([]byte{b}, 32)
		if r := c.propose(0, &fsmpb.Command{Op: &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{Name: "k", Hash: hash, Hint: "fqk_1234"}}}); r.Error != nil {
			t.Fatal(r.Error)
		}
		return &fsmpb.Principal{ApiKey: hash}
	}
	check := func(p *fsmpb.Principal) *fsmpb.Query {
		return &fsmpb.Query{Principal: p, Op: &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{}}}
	}
	uses := map[string]func(*fsmpb.Principal) error{
		"read": func(p *fsmpb.Principal) error {
			_, err := c.nodes[1-leader].Read(ctx, check(p))
			return err
		},
		"empty receive": func(p *fsmpb.Principal) error {
			command := receiveCommand("q", 1)
			command.Principal = p
			_, err := c.nodes[1-leader].Receive(ctx, command, 0)
			return err
		},
		"stale read": func(p *fsmpb.Principal) error {
			_, err := c.nodes[1-leader].ReadStale(check(p))
			return err
		},
	}
	number := byte(0)
	for what, use := range uses {
		number++
		p := create(number)
		eventually(t, "the key on both nodes", func() bool {
			r, err := c.nodes[1-leader].ReadStale(&fsmpb.Query{Principal: admin, Op: &fsmpb.Query_ListApiKeys{ListApiKeys: &fsmpb.ListAPIKeys{Limit: 100}}})
			return err == nil && len(r.GetApiKeys().GetApiKeys()) == int(number)
		})
		_, before := l.writes.counts()
		if err := use(p); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		eventually(t, "the use to be noted after a "+what, func() bool { return !c.nodes[leader].FSM().Query(check(p)).KeyIdle })
		eventually(t, "the follower to know", func() bool { return !c.nodes[1-leader].FSM().Query(check(p)).KeyIdle })
		for range 20 {
			if err := use(p); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if _, after := l.writes.counts(); after != before+1 {
			t.Errorf("21 uses by a %s made %d commands, want 1", what, after-before)
		}
	}
}

func TestOneTouchOfAKeyAtATime(t *testing.T) {
	const now = 1_700_000_000_000 // in the middle of an hour
	var k keyTouches
	if !k.begin("a", now) || k.begin("a", now) || !k.begin("b", now) {
		t.Error("not exactly one touch of each key may be under way")
	}
	k.end("a", now, false)
	if !k.begin("a", now) {
		t.Error("after a touch has failed the next one can't begin")
	}
	k.end("a", now, true)
	if k.begin("a", now+1) {
		t.Error("a key whose use in this hour was noted is noted again")
	}
	if !k.begin("a", now+time.Hour.Milliseconds()) {
		t.Error("the use in the next hour is not noted")
	}
	for i := range 2 * maxTouches {
		key := fmt.Sprint(i)
		k.begin(key, now)
		k.end(key, now, true)
	}
	if len(k.noted) > maxTouches || len(k.inFlight) != 2 {
		t.Errorf("%d keys are remembered and %d on their way", len(k.noted), len(k.inFlight))
	}
}

// The state of a follower that lags does not see that the use was noted; it must not ask for that with each read.
func TestAnOldStateHasTheUseOfAKeyNotedOnce(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	l := c.nodes[c.leader()].replica.Load().leadership.Load()
	p := &fsmpb.Principal{ApiKey: bytes.Repeat([]byte{1}, 32)}
	_, before := l.writes.counts()
	for range 5 {
		c.nodes[0].noteUse(p, &fsmpb.QueryResult{KeyIdle: true})
		eventually(t, "the touch to end", func() bool {
			c.nodes[0].touches.mu.Lock()
			defer c.nodes[0].touches.mu.Unlock()
			return len(c.nodes[0].touches.inFlight) == 0
		})
	}
	if _, after := l.writes.counts(); after != before+1 {
		t.Errorf("5 reads of an old state made %d commands, want 1", after-before)
	}
}
