package httpd

import (
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
)

func TestMembersAreRemoved(t *testing.T) {
	a := newStateAPI(t)
	a.node.members = []string{"n1", "n2"}
	for _, name := range []string{"n3", "n%2F1", "%00", "%ff", strings.Repeat("n", 200)} {
		a.expectError(a.do("DELETE", "/v1/cluster/members/"+name, ""), 404, cluster.CodeMemberNotFound)
	}
	a.expect("DELETE", "/v1/cluster/members/n2", "", 204, "")
	if r := a.expectError(a.do("DELETE", "/v1/cluster/members/n1", ""), 409, cluster.CodeMajorityAtRisk); r.text("detail") != "It is the last one." || r.text("outcome") != "not_applied" {
		t.Errorf("the last member: %s", r.body)
	}
	bob := a.user("bob")
	a.as(bob, func() { a.expectError(a.do("DELETE", "/v1/cluster/members/n1", ""), 403, fsm.CodeForbidden) })
}

func TestLeadershipIsTransferred(t *testing.T) {
	a := newStateAPI(t)
	a.node.members = []string{"n1", "n2", "n3"}
	for body, want := range map[string]string{``: "n2", ` `: "n2", `{}`: "n2", `{"name":"n3"}`: "n3", `{"name":"n1"}`: "n1"} {
		a.node.members = []string{"n1", "n2", "n3"}
		a.expect("POST", "/v1/cluster/leader", body, 200, `{"leader":"`+want+`"}`)
	}
	a.expectError(a.do("POST", "/v1/cluster/leader", `{"name":"n4"}`), 404, cluster.CodeMemberNotFound)
	a.expectError(a.do("POST", "/v1/cluster/leader", `{"name":"n/1"}`), 404, cluster.CodeMemberNotFound)
	a.expectError(a.do("POST", "/v1/cluster/leader", `{"leader":"n4"}`), 400, fsm.CodeInvalid)
	a.expectError(a.do("POST", "/v1/cluster/leader", `[]`), 400, codeInvalidJSON)
	a.node.err = errNoLeader
	a.expectError(a.do("POST", "/v1/cluster/leader", ""), 503, cluster.CodeNoLeader)
}

func TestJoinTokensAreMadeAndRevoked(t *testing.T) {
	a := newStateAPI(t)
	a.expect("GET", "/v1/cluster/join-tokens", "", 200, `{"join_tokens":[]}`)
	r := a.must("POST", "/v1/cluster/join-tokens", "")
	id, token := r.text("id"), r.text("token")
	if want := `{"id":"` + id + `","token":"` + token + `","created":"2027-01-15T08:00:00Z"}`; r.status != 201 || r.body != want || id == "" || token == "" {
		t.Errorf("created: %d %s", r.status, r.body)
	}
	a.expect("GET", "/v1/cluster/join-tokens", "", 200, `{"join_tokens":[{"id":"`+id+`","created":"2027-01-15T08:00:00Z"}]}`)
	a.expect("DELETE", "/v1/cluster/join-tokens/"+id, "", 204, "")
	for _, id := range []string{id, "%ff", "%00", "a%2Fb"} {
		a.expectError(a.do("DELETE", "/v1/cluster/join-tokens/"+id, ""), 404, fsm.CodeJoinTokenNotFound)
	}
	a.expectError(a.do("POST", "/v1/cluster/join-tokens", `{"expires":1}`), 400, fsm.CodeInvalid)
	for range fsm.MaxJoinKeys {
		a.must("POST", "/v1/cluster/join-tokens", "{}")
	}
	a.expectError(a.do("POST", "/v1/cluster/join-tokens", ""), 409, fsm.CodeLimitReached)
}
