package httpd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// laggingNode answers stale reads from another state than the leader's.
type laggingNode struct {
	*stateNode
	behind *stateNode
}

func (n *laggingNode) ReadStale(q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	return n.behind.ReadStale(q)
}

// follow walks through a list by its Link headers and returns every page's items, joined by the names under key.
func (a *api) follow(path, field, key string) (pages []string) {
	a.t.Helper()
	for path != "" {
		r := a.must("GET", path, "")
		var names []string
		for _, item := range r.fields[field].([]any) {
			names = append(names, item.(map[string]any)[key].(string))
		}
		pages = append(pages, strings.Join(names, " "))
		path = ""
		if link := r.header.Get("Link"); link != "" {
			target, whole := strings.CutSuffix(link, `>; rel="next"`)
			var begins bool
			if path, begins = strings.CutPrefix(target, "<"); !whole || !begins || len(pages) > 20 {
				a.t.Fatalf("Link: %s after %d pages", link, len(pages))
			}
		}
	}
	return pages
}

func TestPages(t *testing.T) {
	a := newStateAPI(t)
	for _, name := range []string{"b", "d", "a", "e", "c"} {
		a.must("POST", "/v1/queues", `{"name":"`+name+`"}`)
		a.must("POST", "/v1/auth/api-keys", `{"name":"`+name+`"}`)
		a.user("u+ &" + name)
		a.must("POST", "/v1/cluster/join-tokens", "")
	}
	for _, c := range []struct {
		path, field, key string
		want             []string
	}{
		{"/v1/queues", "queues", "name", []string{"a b c d e"}},
		{"/v1/queues?limit=2", "queues", "name", []string{"a b", "c d", "e"}},
		{"/v1/queues?limit=5", "queues", "name", []string{"a b c d e"}},
		{"/v1/queues?after=b", "queues", "name", []string{"c d e"}},
		{"/v1/queues?after=bb&limit=2&consistency=stale", "queues", "name", []string{"c d", "e"}},
		{"/v1/queues?after=z&limit=1", "queues", "name", []string{""}},
		{"/v1/auth/api-keys?limit=4", "api_keys", "name", []string{"b d a e", "c"}},
		{"/v1/auth/api-keys?limit=4&username=admin", "api_keys", "name", []string{"b d a e", "c"}},
		{"/v1/auth/users?limit=4", "users", "username", []string{"admin u+ &a u+ &b u+ &c", "u+ &d u+ &e"}},
	} {
		if got := a.follow(c.path, c.field, c.key); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
	all := a.follow("/v1/cluster/join-tokens", "join_tokens", "id")
	if got := a.follow("/v1/cluster/join-tokens?limit=2", "join_tokens", "id"); strings.Join(got, " ") != all[0] || len(got) != 3 {
		t.Errorf("join tokens: %q, want %q in pages", got, all)
	}
	next := a.must("GET", "/v1/queues?limit=2&consistency=stale", "").header.Get("Link")
	if want := `</v1/queues?after=b&consistency=stale&limit=2>; rel="next"`; next != want {
		t.Errorf("Link %s, want %s", next, want)
	}
}

// TestWholeListIsReadPageByPage: without a limit the answer has everything, also what is more than one query gives.
func TestWholeListIsReadPageByPage(t *testing.T) {
	a := newStateAPI(t)
	for i := range maxPage + 1 {
		result, err := a.server.node.Propose(t.Context(), &fsmpb.Command{
			Principal: &fsmpb.Principal{Name: "admin", User: 1, Version: 1},
			Op:        &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{Name: fmt.Sprintf("q%04d", i), Settings: &fsmpb.QueueSettings{}}},
		})
		if err != nil || result.GetError() != nil {
			t.Fatal(err, result.GetError())
		}
	}
	r := a.must("GET", "/v1/queues", "")
	if n := len(r.fields["queues"].([]any)); n != maxPage+1 || r.header.Get("Link") != "" {
		t.Errorf("%d queues, Link %q", n, r.header.Get("Link"))
	}
	first := a.must("GET", "/v1/queues?limit=1000", "")
	if n := len(first.fields["queues"].([]any)); n != maxPage || first.header.Get("Link") == "" {
		t.Errorf("%d queues in a page, Link %q", n, first.header.Get("Link"))
	}
}

func TestParametersAreChecked(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	for _, path := range []string{"/v1/queues", "/v1/auth/api-keys", "/v1/auth/users", "/v1/cluster/join-tokens"} {
		for query, want := range map[string]string{
			"limit=0":                           "limit must be a whole number from 1 to 1000.",
			"limit=1001":                        "limit must be a whole number from 1 to 1000.",
			"limit=":                            "limit must be a whole number from 1 to 1000.",
			"limit=-1":                          "limit must be a whole number from 1 to 1000.",
			"limit=99999999999":                 "limit must be a whole number from 1 to 1000.",
			"limit=1&limit=2":                   "limit must be given only once.",
			"Limit=1":                           `"Limit" is not a parameter of this request; it has limit, after, consistency`,
			"a%0Ab=1":                           `"a\nb" is not a parameter`,
			"after=%ff":                         "after must be valid UTF-8.",
			"limit=%zz":                         "can't be read",
			"a;b":                               "can't be read",
			"consistency=":                      "consistency must be linearizable (the default) or stale",
			"consistency=Stale":                 "consistency must be linearizable (the default) or stale",
			"after=" + strings.Repeat("a", 300): "after must be",
		} {
			if r := a.expectError(a.do("GET", path+"?"+query, ""), 400, fsm.CodeInvalid); !strings.Contains(r.text("detail"), want) {
				t.Errorf("%s?%s: %s, want %q", path, query, r.body, want)
			}
		}
	}
	a.expectError(a.do("GET", "/v1/auth/api-keys?after=x", ""), 400, fsm.CodeInvalid)
	a.expectError(a.do("GET", "/v1/queues/q?consistancy=stale", ""), 400, fsm.CodeInvalid)
	a.expectError(a.do("DELETE", "/v1/auth/api-keys/1?user=x", ""), 400, fsm.CodeInvalid)
	a.must("GET", "/v1/queues?after=%00", "")
	a.must("POST", "/v1/queue/q?x=y", testSend) // as documented: nothing is said about parameters
}

// TestStaleReadsNeedNoLeader, and see what this node sees.
func TestStaleReadsNeedNoLeader(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	paths := []string{"/v1/queues", "/v1/queues/q", "/v1/auth/api-keys", "/v1/auth/users", "/v1/cluster/join-tokens"}
	a.node.err = errNoLeader
	for _, path := range paths {
		a.expectError(a.do("GET", path, ""), 503, cluster.CodeNoLeader)
		a.expectError(a.do("GET", path+"?consistency=linearizable", ""), 503, cluster.CodeNoLeader)
		a.must("GET", path+"?consistency=stale", "")
	}
	a.node.staleErr = errNoLeader
	for _, path := range paths {
		a.expectError(a.do("GET", path+"?consistency=stale", ""), 503, cluster.CodeNoLeader)
	}

	lagging := newStateAPI(t)
	lagging.server.node = &laggingNode{lagging.server.node.(*stateNode), newStateAPI(t).server.node.(*stateNode)}
	lagging.must("POST", "/v1/queues", `{"name":"q"}`)
	lagging.must("GET", "/v1/queues/q", "")
	lagging.expectError(lagging.do("GET", "/v1/queues/q?consistency=stale", ""), 404, fsm.CodeQueueNotFound)
	lagging.expect("GET", "/v1/queues?consistency=stale", "", 200, `{"queues":[]}`)
}
