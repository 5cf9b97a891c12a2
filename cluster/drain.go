package cluster

import (
	"context"
	"time"
)

// transferPing is how recently the target of a leadership transfer must have answered. Raft may hang for ever in a
// transfer to a member that does not (raft#696).
const transferPing = 200 * time.Millisecond

// Draining tells whether the node is about to stop.
func (n *Node) Draining() bool { return n.draining.Err() != nil }

// Drain makes the node ready to stop: it is not ready any more, long polls end with what there is, and if it leads, it waits for what
// is in flight and hands over. Afterwards it goes on forwarding requests until Close. ctx bounds the waiting. A node may
// be elected again before it stops; then Drain may be called again.
func (n *Node) Drain(ctx context.Context) {
	n.drain()
	r := n.replica.Load()
	if r == nil {
		return
	}
	l := r.leadership.Load()
	if l == nil || n.drainedTerm.Swap(l.term) == l.term { // one attempt in each term
		return
	}
	target, _ := n.fittest(ctx, r)
	if target == "" {
		n.log.Info("no other voter is up to take over the leadership")
		return
	}
	if err := n.handOver(ctx, l, target); err != nil && err.Code != codeNotLeader {
		n.log.Warn("leadership was not handed over", "to", target, "error", err)
	}
}
