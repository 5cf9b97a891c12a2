package httpd

import (
	"context"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// Node is what the API needs of the cluster's member in this process. Its methods are safe for concurrent use. An error is
// a *cluster.Error, which says whether the request may have taken effect, or a fault of this node.
type Node interface {
	// Propose carries out a write anywhere in the cluster. A refusal is a Result with its Error set.
	Propose(ctx context.Context, cmd *fsmpb.Command) (*fsmpb.Result, error)
	// Receive takes messages and waits up to wait for the first one. The deliveries carry the messages' content. When ctx
	// ends first the node gives back what it may have taken.
	Receive(ctx context.Context, cmd *fsmpb.Command, wait time.Duration) (*fsmpb.Result, error)
	// Read answers a query as of a moment after the call.
	Read(ctx context.Context, q *fsmpb.Query) (*fsmpb.QueryResult, error)
	// ReadStale answers a query from this node's own state, however old it is.
	ReadStale(q *fsmpb.Query) (*fsmpb.QueryResult, error)
	// RemoveMember takes a member out of the cluster, unless that would cost the majority.
	RemoveMember(ctx context.Context, name string) error
	// TransferLeadership hands the leadership to a member, or to the fittest one if the name is empty, and returns who has it.
	TransferLeadership(ctx context.Context, name string) (leader string, err error)
	// Keys returns this node's copy of the keys, which may be old; an error says that there is none yet. The caller does
	// not change it.
	Keys(ctx context.Context) (*fsmpb.Keys, error)
	// Now is the time against which tokens expire: the wall clock, but never before the clock of this node's state. The state
	// forgets log-outs whose tokens have expired by its clock, so a clock that is slow must not make them good again.
	Now() time.Time
	// Cluster is this node's view of the cluster; it needs no leader.
	Cluster() cluster.View
	// RegistrationClosed says that only admins make users here.
	RegistrationClosed(ctx context.Context) bool
	// Ready returns the reasons why this node should get no requests; none means that it should.
	Ready() []string
	// Draining says that this node is about to stop.
	Draining() bool
}
