package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// transferPing is how recently the target of a leadership transfer must have answered. Raft may hang for ever in a
// transfer to a member that does not (raft#696).
const transferPing = 200 * time.Millisecond

// Draining tells whether the node is about to stop.
func (n *Node) Draining() bool { return n.draining.Err() != nil }

// Drain makes the node ready to stop: it is not ready any more, long polls end empty, and if it leads, it waits for what
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
	target := n.transferTarget(ctx, r)
	if target == "" {
		n.log.Info("no other voter is up to take over the leadership")
		return
	}
	// Nothing may be in flight during the transfer: then nothing is unknown after it. What comes meanwhile is refused as
	// "not the leader", and the members that forwarded it try again with the next one.
	n.log.Info("handing over the leadership", "to", target)
	transferred := make(chan error, 1)
	go func() { // raft may not come back from a transfer (raft#696), and this node has to stop all the same
		l.writes.pause()
		transferred <- r.raft.LeadershipTransferToServer(raft.ServerID(target), raft.ServerAddress(target)).Error()
	}()
	select {
	case err := <-transferred:
		if err == nil {
			n.waitForOtherLeader(ctx, r)
			return
		}
		n.log.Warn("leadership was not handed over", "to", target, "error", err)
		l.writes.resume()
	case <-ctx.Done():
		n.log.Warn("handing over the leadership did not end in time", "to", target)
	}
}

// transferTarget is the voter that is up and has the most of the log.
func (n *Node) transferTarget(ctx context.Context, r *replica) string {
	target, best := "", uint64(0)
	for _, id := range r.voters() {
		if id == r.id {
			continue
		}
		ping, cancel := context.WithTimeout(ctx, transferPing)
		s := n.poll(ping, id)
		cancel()
		if s != nil && !s.Draining && s.LastIndex >= best {
			target, best = id, s.LastIndex
		}
	}
	return target
}

func (n *Node) waitForOtherLeader(ctx context.Context, r *replica) {
	for {
		changed := r.changed.wait()
		if leader := r.leader(); leader != "" && leader != r.id {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
