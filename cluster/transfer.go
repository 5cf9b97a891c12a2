package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// handoverLimit is how long handing over the leadership may take: what is in flight has to end before.
const handoverLimit = 8 * time.Second

// transfer hands the leadership to the member with this name, or to the fittest voter, and answers with the name of the
// next leader. It runs on the leader.
func (n *Node) transfer(l *leadership, name string) *clusterpb.Response {
	ctx, cancel := context.WithTimeout(l.r.ctx, handoverLimit)
	defer cancel()
	if name != n.directory.Name {
		target, err := n.successor(ctx, l.r, name)
		if err == nil {
			err = n.handOver(ctx, l, target)
		}
		if err != nil {
			return failed(err)
		}
	}
	leader := nameOf(l.r.leader())
	if name == n.directory.Name && leader != name {
		return failed(errNotLeader("this node does not lead any more"))
	}
	if leader == "" || name != "" && leader != name || name == "" && leader == n.directory.Name {
		return failed(&Error{
			Code: CodeTimeout, Unknown: true, RetryAfter: retrySoon, // it has left this node, and may yet arrive
			Detail: "The leadership was offered, but another member was elected. Look at GET /v1/cluster before you try again.",
		})
	}
	return &clusterpb.Response{Result: &clusterpb.Response_Transfer{Transfer: &clusterpb.TransferResult{Leader: leader}}}
}

// successor is the id of the voter with a name that can take over now; without a name that of the fittest.
func (n *Node) successor(ctx context.Context, r *replica, name string) (id string, err *Error) {
	if name == "" {
		if id, _ = n.fittest(ctx, r); id == "" {
			return "", &Error{Code: CodeMajorityAtRisk, Detail: "No other voter is up to take over the leadership. Start one, or add a node."}
		}
		return id, nil
	}
	servers := r.servers()
	named, _ := split(servers, name)
	if len(named) == 0 {
		return "", errNoMember(name, servers)
	}
	i := slices.IndexFunc(named, func(s raft.Server) bool { return s.Suffrage == raft.Voter })
	if i < 0 {
		return "", &Error{Code: CodeMajorityAtRisk, Detail: fmt.Sprintf("%s has not caught up yet and does not vote, so it can't lead. Wait until it is a voter, or choose another member.", name)}
	}
	switch s := n.ask(ctx, string(named[i].ID)); {
	case s == nil:
		return "", &Error{Code: CodeMajorityAtRisk, Detail: fmt.Sprintf("%s does not answer, so it can't lead. Start it, or choose another member.", name)}
	case s.Draining:
		return "", &Error{Code: CodeMajorityAtRisk, Detail: fmt.Sprintf("%s is about to stop. Choose another member.", name)}
	case s.DiskLow: // it would hand over again
		return "", &Error{Code: CodeMajorityAtRisk, Detail: fmt.Sprintf("The disk of %s is low: %s are free and %s are its reserve. Free some there, or choose another member.",
			name, inBytes(s.DiskFree), inBytes(s.DiskReserve))}
	}
	return string(named[i].ID), nil
}

// fittest is the other voter that is up and has the most of the log, first among those whose disks are not low; empty if
// there is none.
func (n *Node) fittest(ctx context.Context, r *replica) (id string, status *clusterpb.StatusResult) {
	for _, voter := range r.voters() {
		if voter == r.id {
			continue
		}
		s := n.ask(ctx, voter)
		if s == nil || s.Draining {
			continue
		}
		if status == nil || !s.DiskLow && status.DiskLow || s.DiskLow == status.DiskLow && s.LastIndex > status.LastIndex {
			id, status = voter, s
		}
	}
	return id, status
}

// ask is poll with no more patience than a leadership transfer may have.
func (n *Node) ask(ctx context.Context, id string) *clusterpb.StatusResult {
	ctx, cancel := context.WithTimeout(ctx, transferPing)
	defer cancel()
	return n.poll(ctx, id)
}

// handOver makes another voter lead. Nothing may be in flight during the transfer: then nothing is unknown after it. What
// comes meanwhile is refused as "not the leader", and the members that forwarded it try again with the next one. After an
// error this node goes on leading, unless raft says otherwise. The error is unknown when raft may have begun: it does not
// stop because nobody waits any more.
func (n *Node) handOver(ctx context.Context, l *leadership, target string) *Error {
	l.handover.Lock() // a second one finds, when its turn comes, that the term has ended
	defer l.handover.Unlock()
	if l.ctx.Err() != nil {
		return errNotLeader("this node does not lead any more")
	}
	if ctx.Err() != nil { // it took too long to get the lock
		return errNotHandedOver(target, ctx.Err())
	}
	n.log.Info("handing over the leadership", "to", target)
	l.writes.pause()
	var decided atomic.Bool // by whoever is first: to ask raft, or that it is too late to ask
	transferred := make(chan error, 1)
	go func() { // raft may not come back from a transfer (raft#696), and whoever asked wants to know all the same
		l.writes.settle()
		if decided.CompareAndSwap(false, true) {
			transferred <- l.r.raft.LeadershipTransferToServer(raft.ServerID(target), raft.ServerAddress(target)).Error()
		}
	}()
	var err error
	unknown := true
	select {
	case err = <-transferred:
		unknown = err != nil && translate(err).Unknown
	case <-ctx.Done():
		err = ctx.Err()
		unknown = !decided.CompareAndSwap(false, true)
	}
	if err == nil {
		n.waitForOtherLeader(ctx, l.r)
		return nil
	}
	// Raft may still refuse writes for this transfer. They are let through so that watchTransfer sees it, and ends it.
	l.writes.resume()
	if unknown {
		return &Error{
			Code: CodeTimeout, Unknown: true, RetryAfter: retrySoon,
			Detail: fmt.Sprintf("It is not known whether %s takes over the leadership: %v. Look at GET /v1/cluster before you try again.", nameOf(target), err),
		}
	}
	return errNotHandedOver(target, err)
}

func errNotHandedOver(target string, err error) *Error {
	return &Error{
		Code: CodeTimeout, RetryAfter: retrySoon,
		Detail: fmt.Sprintf("The leadership was not handed over to %s: %v. Try again, or choose another member.", nameOf(target), err),
	}
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
