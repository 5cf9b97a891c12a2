package cluster

import (
	"testing"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

func TestTheStrictestMemberClosesRegistration(t *testing.T) {
	servers := []raft.Server{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	said := func(closed bool) memberStatus {
		return memberStatus{StatusResult: &clusterpb.StatusResult{RegistrationClosed: closed}}
	}
	for name, test := range map[string]struct {
		servers  []raft.Server
		statuses map[string]memberStatus
		closed   bool
		known    bool
	}{
		"alone":                      {servers[:1], nil, false, true},
		"nobody has answered yet":    {servers, nil, false, false},
		"all are open":               {servers, map[string]memberStatus{"b": said(false), "c": said(false)}, false, true},
		"one is open, one is silent": {servers, map[string]memberStatus{"b": said(false)}, false, true},
		"one is closed":              {servers, map[string]memberStatus{"b": said(false), "c": said(true)}, true, true},
		"one that has left":          {servers[:2], map[string]memberStatus{"b": said(false), "c": said(true)}, false, true},
	} {
		if closed, known := strictest("a", test.servers, test.statuses); closed != test.closed || known != test.known {
			t.Errorf("%s: closed %v, known %v; want %v, %v", name, closed, known, test.closed, test.known)
		}
	}
}

// TestANodeThatHasHeardOfNobodyAsks forgets what the others have said: the node must neither be open nor closed by chance.
func TestANodeThatHasHeardOfNobodyAsks(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, nil)
	n := c.nodes[1]
	forget := func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		clear(n.statuses)
	}
	forget()
	if n.RegistrationClosed(t.Context()) {
		t.Error("closed, although the other member is open")
	}
}
