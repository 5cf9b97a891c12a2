package httpd

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// createKey makes an API key for the present caller and returns its id and its text.
func (a *api) createKey(name string) (id, key string) {
	a.t.Helper()
	r := a.must("POST", "/v1/auth/api-keys", `{"name":"`+name+`"}`)
	return r.text("id"), r.text("key")
}

func TestAPIKeyIsShownOnce(t *testing.T) {
	a := newStateAPI(t)
	r := a.must("POST", "/v1/auth/api-keys", `{"name":"ci é","expires_in_days":30}`)
	id, key := r.text("id"), r.text("key")
	want := fmt.Sprintf(`{"id":%q,"name":"ci é","key":%q,"hint":%q,"created":"2027-01-15T08:00:00Z","expires":"2027-02-14T08:00:00Z","last_used":null}`, id, key, key[:8])
	if r.status != 201 || r.body != want || len(key) != 47 {
		t.Errorf("created: %d %s\nwant %s", r.status, r.body, want)
	}
	a.as(key, func() { a.must("POST", "/v1/queues", `{"name":"q"}`) })
	entry := fmt.Sprintf(`{"id":%q,"name":"ci é","hint":%q,"created":"2027-01-15T08:00:00Z","expires":"2027-02-14T08:00:00Z","last_used":"2027-01-15T08:00:00Z","expired":`, id, key[:8])
	a.expect("GET", "/v1/auth/api-keys", "", 200, `{"api_keys":[`+entry+`false}]}`)

	a.node.advance(30 * 24 * time.Hour)
	a.token = a.adminToken()
	a.as(key, func() { a.expectError(a.do("POST", "/v1/queues", `{"name":"r"}`), 401, fsm.CodeUnauthenticated) })
	a.expect("GET", "/v1/auth/api-keys", "", 200, `{"api_keys":[`+entry+`true}]}`)
	a.expect("DELETE", "/v1/auth/api-keys/"+id, "", 204, "")
	a.expectError(a.do("DELETE", "/v1/auth/api-keys/"+id, ""), 404, fsm.CodeAPIKeyNotFound)
	a.expect("GET", "/v1/auth/api-keys", "", 200, `{"api_keys":[]}`)
}

func TestAPIKeyRequestsAreChecked(t *testing.T) {
	a := newStateAPI(t)
	const name = "name must be 1 to 128 bytes without control or format characters and without spaces at its ends."
	const days = "expires_in_days must be a whole number from 1 to 36500."
	for body, want := range map[string]string{
		`{}`: name, `{"name":""}`: name, `{"name":" a"}`: name, `{"name":"a\u0000"}`: name, `{"name":"` + strings.Repeat("é", 65) + `"}`: name,
		`{"name":"a","expires_in_days":0}`: days, `{"name":"a","expires_in_days":36501}`: days, `{"name":"a","expires_in_days":"1"}`: days,
		`{"name":"a","expires_in":1}`: "the nearest one is expires_in_days",
	} {
		if r := a.expectError(a.do("POST", "/v1/auth/api-keys", body), 400, fsm.CodeInvalid); !strings.Contains(r.text("detail"), want) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	for _, id := range []string{"0", "x", "-1", "01", "%00", "%ff", "18446744073709551616", "a%2Fb"} {
		a.expectError(a.do("DELETE", "/v1/auth/api-keys/"+id, ""), 404, fsm.CodeAPIKeyNotFound)
	}
	for range fsm.MaxAPIKeysPerUser {
		a.must("POST", "/v1/auth/api-keys", `{"name":"a","expires_in_days":null}`)
	}
	a.expectError(a.do("POST", "/v1/auth/api-keys", `{"name":"a"}`), 409, fsm.CodeLimitReached)
}

// TestAPIKeyHasTheRightsOfItsUser, as Bearer and as X-API-Key, except that it makes no keys.
func TestAPIKeyHasTheRightsOfItsUser(t *testing.T) {
	a := newStateAPI(t)
	bob := a.user("bob")
	id, admins := a.createKey("ops")
	var bobs string
	a.as(bob, func() { _, bobs = a.createKey("ci") })
	a.as(bobs, func() {
		a.must("GET", "/v1/auth/api-keys", "")
		a.must("GET", "/v1/cluster", "")
		a.expectError(a.do("GET", "/v1/auth/users", ""), 403, fsm.CodeForbidden)
		a.expectError(a.do("GET", "/v1/auth/api-keys?username=admin", ""), 403, fsm.CodeForbidden)
		a.expectError(a.do("DELETE", "/v1/auth/api-keys/"+id+"?username=admin", ""), 403, fsm.CodeForbidden)
		a.expectError(a.do("DELETE", "/v1/auth/api-keys/"+id, ""), 404, fsm.CodeAPIKeyNotFound)
		if r := a.expectError(a.do("POST", "/v1/auth/api-keys", `{"name":"more"}`), 403, fsm.CodeForbidden); !strings.Contains(r.text("detail"), "log in") {
			t.Errorf("a key makes a key: %s", r.body)
		}
	})
	a.as(admins, func() {
		a.must("GET", "/v1/auth/users", "")
		r := a.must("GET", "/v1/auth/api-keys?username=bob", "")
		if !strings.Contains(r.body, `"hint":"`+bobs[:8]+`"`) || strings.Contains(r.body, bobs) {
			t.Errorf("bob's keys: %s", r.body)
		}
		a.expectError(a.do("GET", "/v1/auth/api-keys?username=eve", ""), 404, fsm.CodeUserNotFound)
		ofBob := r.fields["api_keys"].([]any)[0].(map[string]any)["id"].(string)
		a.must("DELETE", "/v1/auth/api-keys/"+ofBob+"?username=bob", "")
	})
	a.as(bobs, func() {
		a.expectError(a.do("GET", "/v1/queues", ""), 401, fsm.CodeUnauthenticated)
		a.expectError(a.do("GET", "/v1/cluster", ""), 401, fsm.CodeUnauthenticated)
	})
}

// TestAPIKeyIsNoWayToALogIn: an admin's key that somebody found makes neither another key nor an admin to log in as.
func TestAPIKeyIsNoWayToALogIn(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/auth/register", bobsCredentials)
	_, key := a.createKey("ops")
	a.server.hasher = nil // a password that is hashed is a panic, and status 500
	a.as(key, func() {
		for method, request := range map[string][2]string{
			"POST":  {"/v1/auth/reset-password", `{"username":"bob","new_password":"better horse"}`},
			"PATCH": {"/v1/auth/users/bob", `{"role":"admin"}`},
		} {
			if r := a.expectError(a.do(method, request[0], request[1]), 403, fsm.CodeForbidden); !strings.Contains(r.text("detail"), "log in") {
				t.Errorf("%s %s: %s", method, request[0], r.body)
			}
		}
		a.must("PATCH", "/v1/auth/users/bob", `{"role":"user"}`)
	})
}

func TestCredentialHeaders(t *testing.T) {
	a := newStateAPI(t)
	token := a.token
	_, key := a.createKey("ci")
	_, other := a.createKey("other")
	for _, c := range []struct {
		bearer, apiKey []string
		refusal        string // empty: accepted
	}{
		{bearer: []string{"Bearer " + key}},
		{bearer: []string{"bearer  " + key + " "}},
		{apiKey: []string{key}},
		{apiKey: []string{" " + key + " "}},
		{bearer: []string{"Bearer " + key}, apiKey: []string{key}},
		{refusal: "Authentication required"},
		{bearer: []string{"Bearer " + token}, apiKey: []string{key}, refusal: "two different credentials"},
		{bearer: []string{"Bearer " + other}, apiKey: []string{key}, refusal: "two different credentials"},
		{apiKey: []string{key, other}, refusal: "two different credentials"},
		{bearer: []string{"Bearer " + key, "Bearer " + token}, refusal: "two different credentials"},
		{bearer: []string{"Basic x"}, apiKey: []string{key}, refusal: "Authentication required"},
		{apiKey: []string{token}, refusal: "X-API-Key must be an API key"},
		{apiKey: []string{""}, refusal: "X-API-Key must be an API key"},
		{apiKey: []string{key[:46]}, refusal: "no whole API key"},
		{apiKey: []string{key[:46] + "!"}, refusal: "no whole API key"},
		{bearer: []string{"Bearer fqk_"}, refusal: "no whole API key"},
		{bearer: []string{"Bearer fqk_" + strings.Repeat("A", 43)}, refusal: "The API key is not valid"},
		{bearer: []string{"Bearer fqk_" + strings.Repeat("A", 20_000)}, refusal: "no whole API key"},
	} {
		r := httptest.NewRequest("GET", "/v1/queues", nil)
		r.Header["Authorization"], r.Header["X-Api-Key"] = c.bearer, c.apiKey
		got := a.send(r)
		if c.refusal == "" && got.status != 200 {
			t.Errorf("%v %v: %s", c.bearer, c.apiKey, got.body)
		}
		if c.refusal != "" {
			if a.expectError(got, 401, fsm.CodeUnauthenticated); !strings.Contains(got.text("detail"), c.refusal) {
				t.Errorf("%v %v: %s, want %q", c.bearer, c.apiKey, got.body, c.refusal)
			}
		}
	}
}

// TestCredentialsAreCheckedWithoutALeader, by this node's own state, on the route that needs none.
func TestCredentialsAreCheckedWithoutALeader(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/auth/register", bobsCredentials)
	_, key := a.createKey("ci")
	_, deleted := a.createKey("old")
	bob := a.login().text("access_token")
	a.must("DELETE", "/v1/auth/api-keys/"+a.keyNamed("old"), "")
	a.must("POST", "/v1/auth/delete", bobsCredentials)
	a.node.err = errNoLeader
	a.must("GET", "/v1/cluster", "")
	a.as(key, func() { a.must("GET", "/v1/cluster", "") })
	for _, credential := range []string{bob, deleted} {
		a.as(credential, func() { a.expectError(a.do("GET", "/v1/cluster", ""), 401, fsm.CodeUnauthenticated) })
	}

	a.node.staleErr = errNoLeader // nor any state of its own
	a.must("GET", "/v1/cluster", "")
	a.as(key, func() { a.expectError(a.do("GET", "/v1/cluster", ""), 503, cluster.CodeNoLeader) })
}

// keyNamed is the id of the caller's key with a name.
func (a *api) keyNamed(name string) string {
	a.t.Helper()
	for _, k := range a.must("GET", "/v1/auth/api-keys", "").fields["api_keys"].([]any) {
		if k := k.(map[string]any); k["name"] == name {
			return k["id"].(string)
		}
	}
	a.t.Fatalf("no key %q", name)
	return ""
}

// adminToken is a fresh access token of the admin.
func (a *api) adminToken() string {
	return a.tokenFor(&fsmpb.User{Id: 1, Name: "admin", Version: 1, Role: fsm.RoleAdmin})
}

// TestOldNodeAsksTheLeader: a node whose state is older than the caller refuses nothing by itself.
func TestOldNodeAsksTheLeader(t *testing.T) {
	a := newStateAPI(t)
	old := &laggingNode{a.server.node.(*stateNode), newStateAPI(t).server.node.(*stateNode)}
	_, key := a.createKey("new")
	a.server.node = old
	a.as(key, func() { a.must("GET", "/v1/cluster", "") })
	a.as("fqk_"+strings.Repeat("A", 43), func() { a.expectError(a.do("GET", "/v1/cluster", ""), 401, fsm.CodeUnauthenticated) })
	a.node.err = errNoLeader
	a.as(key, func() { a.expectError(a.do("GET", "/v1/cluster", ""), 401, fsm.CodeUnauthenticated) })
}
