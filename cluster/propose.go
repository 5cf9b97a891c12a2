package cluster

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// retryPause is the longest pause between two tries to find the leader; a change of leader ends it.
const retryPause = 50 * time.Millisecond

// leaderless is how long a receive that may wait for messages waits for a leader.
const leaderless = 4 * time.Second

// Propose is the only door for writes: it has the command applied, wherever the leader is, and once, however often it has
// to be sent (session.go). A refusal by the state machine is a Result with its Error set; an error is an *Error. What was
// certainly not proposed, and what nobody knows of, is tried again, with the next leader too, until ctx ends.
func (n *Node) Propose(ctx context.Context, c *fsmpb.Command) (*fsmpb.Result, error) {
	var result *fsmpb.Result
	var err *Error
	if harmlessTwice(c) {
		result, err = n.repeat(ctx, c, n.proposeOnce, n.pause)
	} else {
		result, err = n.repeatNumbered(ctx, n.sessions[promptLane], c, false, n.proposeOnce, n.pause)
	}
	if err != nil {
		return nil, n.explain(err)
	}
	return result, nil
}

func proposeRequest(command []byte) *clusterpb.Request {
	return &clusterpb.Request{Op: &clusterpb.Request_Propose{Propose: command}}
}

// Receive proposes a receive and waits up to wait for the first message. The deliveries come with their contents. A
// receive whose outcome is unknown is tried again, as in Propose; if the cluster does not remember the first try any more,
// what that may have taken comes back when its lease ends. When ctx ends before the answer has come, what was taken is
// released at once.
//
// One that deletes does so at once. If it finds nothing it waits as one without deletes, which a drain ends and which may
// be tried again, and whatever ends the waiting is no failure any more: the deletes are made.
func (n *Node) Receive(ctx context.Context, c *fsmpb.Command, wait time.Duration) (*fsmpb.Result, error) {
	if wait <= 0 || len(c.GetReceiveMessage().GetDelete()) == 0 {
		return n.receive(ctx, c, wait)
	}
	until := time.Now().Add(wait)
	first, err := n.receive(ctx, c, 0)
	left := time.Until(until)
	if err != nil || first.Error != nil || len(first.GetReceive().GetDeliveries()) > 0 || left <= 0 {
		return first, err
	}
	rest := proto.CloneOf(c)
	rest.GetReceiveMessage().Delete = nil
	result, err := n.receive(ctx, rest, left)
	if err != nil {
		result = nil
	}
	return withDeleted(first.GetReceive().GetDeleteErrors(), result), nil
}

// withDeleted adds what became of a receive's deletes. They are committed, so whatever ended the wait for messages (then
// there is no result) is no failure of the request any more: it has received nothing.
func withDeleted(deleted []*fsmpb.Error, result *fsmpb.Result) *fsmpb.Result {
	if result.GetReceive() == nil {
		result = &fsmpb.Result{Value: &fsmpb.Result_Receive{Receive: &fsmpb.ReceiveResult{}}}
	}
	result.Error = nil
	result.GetReceive().DeleteErrors = deleted
	return result
}

// receive makes a receive that has deletes only if it does not wait.
func (n *Node) receive(ctx context.Context, c *fsmpb.Command, wait time.Duration) (*fsmpb.Result, error) {
	ctx, end := context.WithCancel(ctx) // of its own: the leader knows it by that
	defer end()
	until := time.Now().Add(wait)
	lane := promptLane
	if wait > 0 {
		lane = waitingLane
	}
	repeated := false
	var failing time.Time // since when no leader has taken it
	try := func(ctx context.Context, command []byte) (*fsmpb.Result, *Error) {
		began := time.Now()
		left := max(0, time.Until(until))
		if n.Draining() { // it takes what there is
			left = 0
		}
		resp, err := n.request(ctx, &clusterpb.Request{Op: &clusterpb.Request_Receive{
			Receive: &clusterpb.Receive{Command: command, WaitMs: left.Milliseconds(), Repeated: repeated},
		}})
		repeated = repeated || err != nil && err.Unknown
		if time.Since(began) > retryPause { // it has waited there
			failing = time.Time{}
		}
		return resp.GetReceive(), err
	}
	patience := func(ctx context.Context) bool {
		if failing.IsZero() {
			failing = time.Now()
		}
		return time.Since(failing) < leaderless && n.pause(ctx)
	}
	lossy := len(c.GetReceiveMessage().GetDelete()) == 0 // otherwise it has to say what became of the deletes
	result, err := n.repeatNumbered(ctx, n.sessions[lane], c, lossy, try, patience)
	if err != nil {
		return nil, n.explain(err)
	}
	return result, nil
}

// Read answers a query from a state that is at least as new as the call.
func (n *Node) Read(ctx context.Context, q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	for {
		resp, err := n.request(ctx, &clusterpb.Request{Op: &clusterpb.Request_Read{Read: q}})
		if err == nil {
			return resp.GetRead(), nil
		}
		if err.final() || !n.pause(ctx) {
			if err.Unknown { // a read has no effect
				err = &Error{Code: CodeTimeout, Detail: "The leader did not answer in time. Try again.", RetryAfter: time.Second}
			}
			return nil, n.explainRead(err)
		}
	}
}

// Keys returns this node's copy of the signing and receipt keys. While it has none the error says why; the leader can be
// asked with a query then.
func (n *Node) Keys(context.Context) (*fsmpb.Keys, error) {
	if f := n.FSM(); f != nil && f.Keys() != nil {
		return f.Keys(), nil
	}
	return nil, n.explain(errNotLeader("this node has not caught up with the cluster yet"))
}

// request makes one try with the member that this node takes for the leader.
func (n *Node) request(ctx context.Context, req *clusterpb.Request) (*clusterpb.Response, *Error) {
	r := n.replica.Load()
	if r == nil {
		return nil, errNotLeader(n.whyWaiting())
	}
	leader := r.leader()
	if leader == "" && n.removed.Load() { // there is none to wait for
		return nil, &Error{Code: codeRemoved, Detail: removedText}
	}
	if leader == "" {
		return nil, errNotLeader("no leader is known")
	}
	req.RequestId = requestID(ctx)
	var enough <-chan struct{} // a receive does not wait on when this node is about to stop
	if req.GetReceive().GetWaitMs() > 0 {
		enough = n.draining.Done()
	}
	var resp *clusterpb.Response
	if leader == r.id {
		var err *Error
		if resp, err = n.local(ctx, enough, req); err != nil {
			return nil, err
		}
	} else {
		n.config.Metrics.forwarded.Inc()
		var err error
		if resp, err = n.port.CallUntil(ctx, enough, leader, req); err != nil {
			return nil, n.callFailed(err)
		}
	}
	if f := resp.GetFailure(); f != nil {
		return nil, fromFailure(f)
	}
	return resp, nil
}

// local hands a request to this node's own leadership.
func (n *Node) local(ctx context.Context, enough <-chan struct{}, req *clusterpb.Request) (*clusterpb.Response, *Error) {
	answered := make(chan *clusterpb.Response, 1)
	n.Handle(ctx, n.directory.ID, req, func(resp *clusterpb.Response) { answered <- resp })
	for {
		select {
		case resp := <-answered:
			return resp, nil
		case <-enough:
			n.cancelReceive(receiveKey{ctx, req.Id})
			enough = nil
		case <-ctx.Done():
			n.cancelReceive(receiveKey{ctx, req.Id})
			go func() { n.late(n.directory.ID, <-answered) }()
			return nil, errUnknown("its time was over")
		}
	}
}

func (n *Node) callFailed(err error) *Error {
	n.log.Debug("the leader did not answer", "error", err)
	if errors.Is(err, transport.ErrOverloaded) {
		return &Error{
			Code:       CodeOverloaded,
			Detail:     "As many bytes as may be are waiting for the leader; send less at once and try again.",
			RetryAfter: time.Second,
		}
	}
	var failed *transport.CallError
	if errors.As(err, &failed) && !failed.Sent {
		return errNotLeader("the leader can't be reached")
	}
	return errUnknown("the leader did not answer")
}

// pause waits for another leader, but not long; false means that the time of the request is over.
func (n *Node) pause(ctx context.Context) bool {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	var changed <-chan struct{}
	if r := n.replica.Load(); r != nil {
		changed = r.changed.wait()
	}
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// explain turns an error between members into one for clients.
func (n *Node) explain(err *Error) *Error {
	if err.Code == codeRemoved || err.Code == codeNotLeader && n.removed.Load() {
		return &Error{Code: CodeNoLeader, Unknown: err.Unknown, Detail: "This node answers nothing: " + removedText + ". Ask another node."}
	}
	if err.Code == codeNotLeader {
		return &Error{
			Code: CodeNoLeader, Unknown: err.Unknown, RetryAfter: time.Second,
			Detail: "The cluster has no leader that answers (" + err.Detail + "); it needs a majority of its voters. Try again.",
		}
	}
	return err
}

// explainRead is explain for a read, of which there is a kind that needs no leader.
func (n *Node) explainRead(err *Error) *Error {
	explained := n.explain(err)
	if explained.Code != CodeNoLeader {
		return explained
	}
	e := *explained
	e.Detail += " GET requests can read this node with ?consistency=stale."
	return &e
}

// late gets the answer of a request whose caller had gone: messages that it took are given back.
func (n *Node) late(_ string, resp *clusterpb.Response) {
	receive := resp.GetReceive().GetReceive()
	if len(receive.GetDeliveries()) == 0 {
		return
	}
	release := &fsmpb.ReleaseMessage{}
	for _, d := range receive.Deliveries {
		release.Receipts = append(release.Receipts, &fsmpb.Receipt{Queue: receive.Queue, Sequence: d.Sequence, Delivery: d.Delivery})
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), entryLimit)
		defer cancel()
		c := &fsmpb.Command{Op: &fsmpb.Command_ReleaseMessage{ReleaseMessage: release}}
		if _, err := n.Propose(ctx, c); err != nil {
			n.log.Warn("messages of a client that has gone stay leased until their timeout", "messages", len(release.Receipts), "error", err)
		}
	}()
}
