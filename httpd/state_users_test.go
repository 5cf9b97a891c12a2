package httpd

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// as does something with another credential than the API's usual one: an access token, or an API key.
func (a *api) as(credential string, do func()) {
	usual := a.token
	a.token = credential
	defer func() { a.token = usual }()
	do()
}

// user makes a user in the state machine, without the cost of a password, and returns an access token.
func (a *api) user(name string) (token string) {
	a.t.Helper()
	result, err := a.server.node.Propose(a.t.Context(), &fsmpb.Command{Op: &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: name}}})
	if err != nil || result.GetError() != nil {
		a.t.Fatal(err, result.GetError())
	}
	return a.tokenFor(result.GetUser())
}

// TestAdminRowsAreForAdmins walks through the route table: a row that says admin refuses everybody else, whoever decides it.
func TestAdminRowsAreForAdmins(t *testing.T) {
	a := newStateAPI(t)
	bob := a.user("bob")
	bodies := map[string]string{
		"PATCH /v1/auth/users/:name":   `{"role":"admin"}`,
		"POST /v1/auth/reset-password": `{"username":"admin","new_password":"12345678"}`,
	}
	rows := 0
	for _, rt := range routes() {
		if rt.access != admin && rt.access != adminOrLocal {
			continue
		}
		rows++
		path := strings.NewReplacer(":name", "bob", ":id", "1").Replace(rt.path)
		body := bodies[rt.method+" "+rt.path]
		a.as(bob, func() { a.expectError(a.do(rt.method, path, body), 403, fsm.CodeForbidden) })
		a.as("", func() { a.expectError(a.do(rt.method, path, body), 401, fsm.CodeUnauthenticated) })
	}
	if rows < 8 {
		t.Errorf("%d admin rows", rows)
	}
	a.as(bob, func() { a.must("GET", "/v1/queues", "") })
}

func TestUsersAreListedAndGetRoles(t *testing.T) {
	a := newStateAPI(t)
	a.user("ada+x/y")
	bob := a.user("bob")
	const list = `{"users":[{"username":"ada+x/y","role":"user","api_keys":0,"created":"2027-01-15T08:00:00Z"},` +
		`{"username":"admin","role":"admin","api_keys":0,"created":"2027-01-15T08:00:00Z"},` +
		`{"username":"bob","role":"user","api_keys":1,"created":"2027-01-15T08:00:00Z"}]}`
	a.as(bob, func() { a.must("POST", "/v1/auth/api-keys", `{"name":"ci"}`) })
	a.expect("GET", "/v1/auth/users", "", 200, list)

	for _, path := range []string{"/v1/auth/users/ada+x%2Fy", "/v1/auth/users/ada%2Bx%2Fy"} {
		a.expect("PATCH", path, `{"role":"admin"}`, 200, `{"username":"ada+x/y","role":"admin"}`)
	}
	a.must("PATCH", "/v1/auth/users/ada+x%2Fy", `{"role":"user"}`)
	if r := a.expectError(a.do("PATCH", "/v1/auth/users/admin", `{"role":"user"}`), 409, fsm.CodeLastAdmin); !strings.Contains(r.text("detail"), "another user first") {
		t.Errorf("last admin: %s", r.body)
	}
	for _, name := range []string{"carol", "%ff", "%00", "%E2%80%AE", strings.Repeat("a", 200), "a%20"} {
		a.expectError(a.do("PATCH", "/v1/auth/users/"+name, `{"role":"user"}`), 404, fsm.CodeUserNotFound)
	}
	for body, want := range map[string]string{
		`{}`:                          "role must be admin or user.",
		`{"role":"root"}`:             "role must be admin or user.",
		`{"role":"user","roles":[1]}`: "the nearest one is role",
	} {
		if r := a.expectError(a.do("PATCH", "/v1/auth/users/bob", body), 400, fsm.CodeInvalid); !strings.Contains(r.text("detail"), want) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	a.must("PATCH", "/v1/auth/users/bob", `{"role":"admin"}`)
	a.as(bob, func() { a.must("GET", "/v1/auth/users", "") }) // the record decides, not the token
}

func TestLogoutEndsTheLogIn(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/auth/register", bobsCredentials)
	a.token = ""
	first, second := a.login(), a.login()
	out := func(token string) reply { return a.do("POST", "/v1/auth/logout", `{"refresh_token":"`+token+`"}`) }
	a.expect("POST", "/v1/auth/logout", `{"refresh_token":"`+first.text("refresh_token")+`"}`, 200, `{"message":"Logged out successfully"}`)
	if r := out(first.text("refresh_token")); r.status != 200 {
		t.Errorf("a second time: %s", r.body)
	}
	a.expectError(a.do("POST", "/v1/auth/refresh", `{"refresh_token":"`+first.text("refresh_token")+`"}`), 401, fsm.CodeRefreshInvalid)
	a.as(first.text("access_token"), func() {
		a.expectError(a.do("GET", "/v1/queues", ""), 401, fsm.CodeUnauthenticated)
		a.expectError(a.do("GET", "/v1/cluster", ""), 401, fsm.CodeUnauthenticated)
		a.expectError(a.do("POST", "/v1/queues", `{"name":"q"}`), 401, fsm.CodeUnauthenticated)
	})
	a.as(second.text("access_token"), func() { a.must("GET", "/v1/queues", "") })

	a.expectError(out(second.text("access_token")), 401, fsm.CodeRefreshInvalid)
	a.expectError(out("x.y.z"), 401, fsm.CodeRefreshInvalid)
	a.expectError(out(""), 400, fsm.CodeInvalid)
	a.node.advance(fsm.RefreshTokenLife)
	if r := out(second.text("refresh_token")); r.status != 200 {
		t.Errorf("an expired token has nothing to end: %s", r.body)
	}
}

// TestALogoutHoldsOnANodeWithASlowClock: the state forgets a log-out when the log-in's last access token has expired by the
// cluster's clock, and by then a node must not take the token for good because its own clock is behind.
func TestALogoutHoldsOnANodeWithASlowClock(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/auth/register", bobsCredentials)
	a.token = ""
	tokens := a.login()
	access, refresh := tokens.text("access_token"), tokens.text("refresh_token")
	a.as(access, func() { a.must("GET", "/v1/queues", "") })
	a.must("POST", "/v1/auth/logout", `{"refresh_token":"`+refresh+`"}`)
	tick := &fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}}
	for _, ahead := range []time.Duration{fsm.AccessTokenLife, fsm.RefreshTokenLife} {
		a.node.advance(ahead)
		if _, err := a.server.node.Propose(t.Context(), tick); err != nil {
			t.Fatal(err)
		}
		a.node.advance(-ahead)
		a.as(access, func() {
			a.expectError(a.do("GET", "/v1/queues", ""), 401, codeTokenExpired)
			a.expectError(a.do("GET", "/v1/cluster", ""), 401, codeTokenExpired)
			a.expectError(a.do("POST", "/v1/queues", `{"name":"q"}`), 401, codeTokenExpired)
		})
	}
	a.expectError(a.do("POST", "/v1/auth/refresh", `{"refresh_token":"`+refresh+`"}`), 401, fsm.CodeRefreshInvalid)
}

func TestClosedRegistration(t *testing.T) {
	a := newStateAPI(t)
	a.node.closed = true
	bob := a.user("bob")
	register := func(name string) reply {
		return a.do("POST", "/v1/auth/register", `{"username":"`+name+`","password":"12345678"}`)
	}
	a.as("", func() {
		if r := a.expectError(register("eve"), 403, codeRegistrationClosed); !strings.Contains(r.text("detail"), "only admins") || r.text("outcome") != "not_applied" {
			t.Errorf("a stranger: %s", r.body)
		}
	})
	a.as(bob, func() { a.expectError(register("eve"), 403, codeRegistrationClosed) })
	a.as("x.y.z", func() { a.expectError(register("eve"), 401, fsm.CodeUnauthenticated) })
	a.expect("POST", "/v1/auth/register", `{"username":"eve","password":"12345678"}`, 200, `{"username":"eve"}`)
	a.expectError(register("eve"), 409, fsm.CodeUserExists)

	open := newStateAPI(t)
	open.as("x.y.z", func() { open.must("POST", "/v1/auth/register", `{"username":"eve","password":"12345678"}`) }) // nobody asks
}

// secretBox is a LocalSecret in memory.
type secretBox struct{ value string }

func (b *secretBox) Use(secret string) bool {
	if secret != b.value {
		return false
	}
	b.value += "'"
	return true
}

func TestResetPassword(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/auth/register", bobsCredentials)
	old := a.login()
	a.expect("POST", "/v1/auth/reset-password", `{"username":"bob","new_password":"better horse"}`, 200, `{"username":"bob"}`)
	a.as(old.text("access_token"), func() { a.expectError(a.do("GET", "/v1/queues", ""), 401, fsm.CodeUnauthenticated) })
	a.expectError(a.do("POST", "/v1/auth/login", bobsCredentials), 401, codeInvalidCredentials)
	a.must("POST", "/v1/auth/login", `{"username":"bob","password":"better horse"}`)
	a.expectError(a.do("POST", "/v1/auth/reset-password", `{"username":"eve","new_password":"better horse"}`), 404, fsm.CodeUserNotFound)
	a.expectError(a.do("POST", "/v1/auth/reset-password", `{"username":"\u202e","new_password":"better horse"}`), 404, fsm.CodeUserNotFound)
	a.expectError(a.do("POST", "/v1/auth/reset-password", `{"username":"bob","new_password":"short"}`), 400, fsm.CodeInvalid)
	a.expectError(a.do("POST", "/v1/auth/reset-password", `{"new_password":"better horse"}`), 400, fsm.CodeInvalid)
}

func TestResetPasswordWithTheLocalSecret(t *testing.T) {
	box := &secretBox{"s"}
	a := newStateAPIWith(t, Config{LocalSecret: box})
	reset := func(secret, body, remote string, header ...string) reply {
		r := httptest.NewRequest("POST", "/v1/auth/reset-password", strings.NewReader(body))
		r.Header.Set("Authorization", "Local "+secret)
		r.RemoteAddr = remote
		for _, h := range header {
			r.Header.Set(h, "for=192.0.2.9")
		}
		return a.send(r)
	}
	const good, here = `{"username":"admin","new_password":"better horse"}`, "127.0.0.1:4"
	for _, proxy := range []string{"X-Forwarded-For", "Forwarded", "Via"} {
		a.expectError(reset("s", good, here, proxy), 403, fsm.CodeForbidden)
	}
	a.expectError(reset("s", good, "192.0.2.1:4"), 403, fsm.CodeForbidden)
	a.expectError(reset("wrong", good, here), 401, fsm.CodeUnauthenticated)
	a.expectError(reset("", good, here), 401, fsm.CodeUnauthenticated)
	a.expectError(reset("s", `{"username":"admin","new_password":"short"}`, here), 400, fsm.CodeInvalid)
	if box.value != "s" {
		t.Fatal("a refused request has used up the secret")
	}
	if r := reset("s", good, here); r.status != 200 || r.body != `{"username":"admin"}` {
		t.Errorf("reset: %d %s", r.status, r.body)
	}
	a.must("POST", "/v1/auth/login", `{"username":"admin","password":"better horse"}`)
	if r := a.expectError(reset("s", good, here), 401, fsm.CodeUnauthenticated); !strings.Contains(r.text("detail"), "after each use") {
		t.Errorf("a used secret: %s", r.body)
	}
	if r := reset("s'", good, "[::1]:4"); r.status != 200 {
		t.Errorf("the next secret: %s", r.body)
	}

	without := newStateAPI(t)
	without.token = ""
	r := httptest.NewRequest("POST", "/v1/auth/reset-password", strings.NewReader(good))
	r.Header.Set("Authorization", "Local ")
	r.RemoteAddr = here
	without.expectError(without.send(r), 401, fsm.CodeUnauthenticated)
}
