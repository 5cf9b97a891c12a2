package cluster

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// receiveKey names a waiting receive: the stream it came on and its number there.
type receiveKey struct {
	stream context.Context
	id     uint64
}

// heldReceive is a receive that its client may cancel.
type heldReceive struct {
	leadership *leadership
	waiter     *waiter
}

// Handle answers a request of another member, or of this node to itself. A request that was forwarded once is never
// forwarded again: a node that does not lead says so. Handle does not block.
func (n *Node) Handle(ctx context.Context, sender string, req *clusterpb.Request, respond func(*clusterpb.Response)) {
	r := n.replica.Load()
	if r == nil {
		respond(failed(errNotLeader("this node is starting")))
		return
	}
	switch op := req.Op.(type) {
	case *clusterpb.Request_ReadRound:
		respond(&clusterpb.Response{Result: &clusterpb.Response_ReadRound{ReadRound: &clusterpb.ReadRoundResult{
			Term: r.raft.CurrentTerm(), WallMs: n.config.Wall().UnixMilli(),
		}}})
		return
	case *clusterpb.Request_Status:
		if r.has(op.Status.GetSender().GetId()) {
			n.heard(op.Status.GetSender())
		}
		s := n.status(r)
		s.Stranger = s.LeaderId == r.id && !r.has(sender)
		respond(&clusterpb.Response{Result: &clusterpb.Response_Status{Status: s}})
		return
	case *clusterpb.Request_Cancel:
		n.cancelReceive(receiveKey{ctx, op.Cancel})
		return
	}
	l := r.leadership.Load()
	if l == nil {
		respond(failed(errNotLeader("this node does not lead")))
		return
	}
	if sender != n.directory.ID && !r.has(sender) {
		respond(failed(errRemoved()))
		return
	}
	switch op := req.Op.(type) {
	case *clusterpb.Request_Propose:
		if sender != n.directory.ID && !fsm.Known(op.Propose) {
			respond(failed(&Error{Code: codeRefused, Detail: "the leader's version does not know this command; all members should run the same version"}))
			return
		}
		o := n.outcomeOf("propose", sender, req)
		if n.sendsRefused.Load() && sendsMessage(op.Propose) {
			err := errDiskLow()
			o.log(err)
			respond(failed(err))
			return
		}
		l.writes.submit(proposal{data: op.Propose, done: func(result *fsmpb.Result, err *Error) {
			o.log(err)
			if err != nil {
				respond(failed(err))
				return
			}
			respond(&clusterpb.Response{Result: &clusterpb.Response_Propose{Propose: result}})
		}})
	case *clusterpb.Request_Receive:
		n.handleReceive(ctx, sender, l, req, respond)
	case *clusterpb.Request_Read:
		o := n.outcomeOf("read", sender, req)
		l.read(op.Read, func(result *fsmpb.QueryResult, err *Error) {
			o.log(err)
			if err != nil {
				respond(failed(err))
				return
			}
			respond(&clusterpb.Response{Result: &clusterpb.Response_Read{Read: result}})
		})
	case *clusterpb.Request_Admit:
		go func() { respond(n.admit(l, sender, op.Admit)) }()
	case *clusterpb.Request_RemoveMember:
		go func() { respond(n.removeMember(l, op.RemoveMember.Name)) }()
	case *clusterpb.Request_Transfer:
		go func() { respond(n.transfer(l, op.Transfer.Name)) }()
	default:
		respond(failed(&Error{Code: codeRefused, Detail: "this member does not know the request; all members should run the same version"}))
	}
}

func (n *Node) handleReceive(stream context.Context, sender string, l *leadership, req *clusterpb.Request, respond func(*clusterpb.Response)) {
	op, o := req.GetReceive(), n.outcomeOf("receive", sender, req)
	c := &fsmpb.Command{}
	if err := proto.Unmarshal(op.Command, c); err != nil { // it is on its way into the log: as strict as fsm.Known
		respond(failed(&Error{Code: codeRefused, Detail: "damaged receive: " + err.Error()}))
		return
	}
	receive := c.GetReceiveMessage()
	if receive == nil { // in the log it could stop every replica
		respond(failed(&Error{Code: codeRefused, Detail: "a receive without a receive command; all members should run the same version"}))
		return
	}
	wait := time.Duration(min(max(0, op.WaitMs), fsm.MaxWait.Milliseconds())) * time.Millisecond
	deletes := len(receive.GetDelete()) > 0
	if deletes { // what it says of them must not wait
		wait = 0
	}
	x := &waiter{
		queue: receive.GetQueue(), max: int64(max(1, receive.GetMax())), data: op.Command, principal: c.GetPrincipal(),
		until: time.Now().Add(wait), certain: deletes || op.Repeated,
	}
	key, held := receiveKey{stream, req.Id}, &heldReceive{leadership: l, waiter: x}
	forget := func() bool { return true }
	if wait > 0 {
		n.receives.Store(key, held)
		forget = context.AfterFunc(stream, func() { n.cancelReceive(key) }) // who asks again does so on another stream
	}
	x.respond = func(result *fsmpb.Result, err *Error) {
		if wait > 0 {
			forget()
			n.receives.CompareAndDelete(key, held)
		}
		o.log(err)
		if err != nil {
			respond(failed(err))
			return
		}
		l.r.fsm.FillMessages(result.GetReceive())
		respond(&clusterpb.Response{Result: &clusterpb.Response_Receive{Receive: result}})
	}
	l.receive(x)
}

// cancelReceive ends a waiting receive whose client has gone, or whose node is about to stop. One that is proposed already is
// answered, and whoever forwarded it gives the messages back if its client has gone.
func (n *Node) cancelReceive(key receiveKey) {
	held, ok := n.receives.LoadAndDelete(key)
	if !ok {
		return
	}
	h := held.(*heldReceive)
	h.waiter.ended.Store(true)
	if h.leadership.waiters.remove(h.waiter) {
		h.waiter.respond(nil, errNotLeader("its wait was ended"))
	}
}

func failed(err *Error) *clusterpb.Response {
	return &clusterpb.Response{Result: &clusterpb.Response_Failure{Failure: err.failure()}}
}
