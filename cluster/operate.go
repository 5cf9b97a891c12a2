package cluster

import (
	"context"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// ReadStale answers a query from this node's own state, however old it is. It needs no leader. The state of a node that was
// removed only gets older, so it answers nothing.
func (n *Node) ReadStale(q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	if n.removed.Load() {
		return nil, n.explain(&Error{Code: codeRemoved, Detail: removedText})
	}
	f := n.FSM()
	if f == nil {
		return nil, n.explain(errNotLeader(n.whyWaiting()))
	}
	result := f.Query(q)
	n.noteUse(q.Principal, result)
	return result, nil
}

// RemoveMember takes the member with this name out of the cluster. It is refused while the voters that remain would not
// be a live majority.
func (n *Node) RemoveMember(ctx context.Context, name string) error {
	_, err := n.operate(ctx, &clusterpb.Request{Op: &clusterpb.Request_RemoveMember{RemoveMember: &clusterpb.RemoveMember{Name: name}}})
	return err
}

// TransferLeadership hands the leadership to the member with this name, or to the fittest one if the name is empty, and
// returns who leads then.
func (n *Node) TransferLeadership(ctx context.Context, name string) (leader string, err error) {
	resp, err := n.operate(ctx, &clusterpb.Request{Op: &clusterpb.Request_Transfer{Transfer: &clusterpb.Transfer{Name: name}}})
	return resp.GetTransfer().GetLeader(), err
}

// operate has the leader carry out a request of an operator. What was certainly not done is tried again, but not a transfer
// to anybody that ran out of time: a second one would move the leadership on.
func (n *Node) operate(ctx context.Context, req *clusterpb.Request) (*clusterpb.Response, error) {
	for {
		resp, err := n.request(ctx, req)
		if err == nil {
			return resp, nil
		}
		toAnybody := req.GetTransfer() != nil && req.GetTransfer().Name == ""
		if err.Unknown || err.final() || toAnybody && err.Code == CodeTimeout || !n.pause(ctx) {
			return nil, n.explain(err)
		}
	}
}
