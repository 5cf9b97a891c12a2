package cluster

import (
	"context"
	"sync"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// keyTouches remembers which API keys' uses are on their way into the log. The zero value is ready.
type keyTouches struct {
	mu       sync.Mutex
	inFlight map[string]bool
}

// begin reports whether a touch of this key may start; then end has to be called.
func (t *keyTouches) begin(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inFlight[key] {
		return false
	}
	if t.inFlight == nil {
		t.inFlight = map[string]bool{}
	}
	t.inFlight[key] = true
	return true
}

func (t *keyTouches) end(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.inFlight, key)
}

func touchCommand(p *fsmpb.Principal) *fsmpb.Command {
	return &fsmpb.Command{Principal: p, Op: &fsmpb.Command_TouchApiKey{TouchApiKey: &fsmpb.TouchAPIKey{}}}
}

// noteUse has the use of an API key by a read noted, when it was not in this hour. Nobody waits for it, and if it fails
// the next read does it.
func (l *leadership) noteUse(p *fsmpb.Principal, result *fsmpb.QueryResult) {
	key := string(p.GetApiKey())
	if !result.GetKeyIdle() || !l.touches.begin(key) {
		return
	}
	l.writes.submit(proposal{data: encodeCommand(touchCommand(p)), done: func(*fsmpb.Result, *Error) { l.touches.end(key) }})
}

// noteUse is the same for a read that this node has answered from its own state.
func (n *Node) noteUse(p *fsmpb.Principal, result *fsmpb.QueryResult) {
	key := string(p.GetApiKey())
	if !result.GetKeyIdle() || !n.touches.begin(key) {
		return
	}
	go func() {
		defer n.touches.end(key)
		ctx, cancel := context.WithTimeout(context.Background(), entryLimit)
		defer cancel()
		if _, err := n.Propose(ctx, touchCommand(p)); err != nil {
			n.log.Debug("the use of an API key was not noted", "error", err)
		}
	}()
}
