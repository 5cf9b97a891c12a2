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
	}{
		"alone":                      {servers[:1], nil, false},
		"nobody has answered yet":    {servers, nil, true},
		"all are open":               {servers, map[string]memberStatus{"b": said(false), "c": said(false)}, false},
		"one is open, one is silent": {servers, map[string]memberStatus{"b": said(false)}, false},
		"one is closed":              {servers, map[string]memberStatus{"b": said(false), "c": said(true)}, true},
		"one that has left":          {servers[:2], map[string]memberStatus{"b": said(false), "c": said(true)}, false},
	} {
		if got := closedByOthers("a", test.servers, test.statuses); got != test.closed {
			t.Errorf("%s: closed %v, want %v", name, got, test.closed)
		}
	}
}
