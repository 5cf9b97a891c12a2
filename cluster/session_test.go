package cluster

import (
	"context"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/cluster/transport"
)

// Whether a session is registered may be unknown; the command that waits for its number was certainly not sent.
func TestACommandWithoutASessionIsNotApplied(t *testing.T) {
	s := newSession(func(context.Context) (uint64, *Error) { return 0, errUnknown("the leader did not answer") })
	if _, err := s.begin(t.Context()); err == nil || err.Unknown || err.Code != codeNotLeader {
		t.Errorf("a command whose session is not known to be registered: %+v", err)
	}
}

func TestTooMuchThatWaitsForTheLeaderIsOverload(t *testing.T) {
	n := &Node{log: hclog.NewNullLogger()}
	err := n.callFailed(&transport.CallError{Target: "n1", Err: transport.ErrOverloaded})
	if err.Code != CodeOverloaded || err.Unknown || err.RetryAfter == 0 || !err.final() {
		t.Errorf("%+v, want overloaded, to be told at once", err)
	}
}
