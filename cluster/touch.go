package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// maxTouches is how many API keys keyTouches remembers. Beyond that it forgets them all, which costs one entry for each key.
const maxTouches = 4_096

// keyTouches remembers which API keys' uses are on their way into the log, and for which one has arrived there: a state that
// is behind would ask for more of them with each read. The zero value is ready.
type keyTouches struct {
	mu       sync.Mutex
	inFlight map[string]bool
	noted    map[string]int64 // in which hour of the state that was read, counted from 1970
}

// begin reports whether a touch of this key may start; then end has to be called. now is the clock of the state that was
// read, in milliseconds.
func (t *keyTouches) begin(key string, now int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if hour, ok := t.noted[key]; t.inFlight[key] || ok && hour >= hourOf(now) {
		return false
	}
	if t.inFlight == nil {
		t.inFlight, t.noted = map[string]bool{}, map[string]int64{}
	}
	t.inFlight[key] = true
	return true
}

// end takes the time that begin was given.
func (t *keyTouches) end(key string, now int64, noted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.inFlight, key)
	if !noted {
		return
	}
	if len(t.noted) >= maxTouches {
		clear(t.noted)
	}
	t.noted[key] = hourOf(now)
}

func hourOf(ms int64) int64 { return ms / time.Hour.Milliseconds() }

func touchCommand(p *fsmpb.Principal) *fsmpb.Command {
	return &fsmpb.Command{Principal: p, Op: &fsmpb.Command_TouchApiKey{TouchApiKey: &fsmpb.TouchAPIKey{}}}
}

// noteUse has the use of an API key by a read noted, when it was not in this hour. Nobody waits for it, and if it fails
// the next read does it.
func (l *leadership) noteUse(p *fsmpb.Principal, result *fsmpb.QueryResult) {
	key := string(p.GetApiKey())
	now := l.r.fsm.Now()
	if !result.GetKeyIdle() || !l.touches.begin(key, now) {
		return
	}
	l.writes.submit(proposal{data: encodeCommand(touchCommand(p)), done: func(_ *fsmpb.Result, err *Error) {
		l.touches.end(key, now, err == nil)
	}})
}

// noteUse is the same for a read that this node has answered from its own state.
func (n *Node) noteUse(p *fsmpb.Principal, result *fsmpb.QueryResult) {
	f := n.FSM()
	if f == nil || !result.GetKeyIdle() {
		return
	}
	key, now := string(p.GetApiKey()), f.Now()
	if !n.touches.begin(key, now) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), entryLimit)
		defer cancel()
		_, err := n.Propose(ctx, touchCommand(p))
		n.touches.end(key, now, err == nil)
		if err != nil {
			n.log.Debug("the use of an API key was not noted", "error", err)
		}
	}()
}
