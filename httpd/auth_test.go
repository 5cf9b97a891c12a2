package httpd

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const bobsCredentials = `{"username":"bob","password":"correct horse"}`

// register makes bob by way of the API.
func register(t *testing.T) *api {
	t.Helper()
	a := newAPI(t)
	a.token = ""
	a.expect("POST", "/v1/auth/register", bobsCredentials, 200, `{"username":"bob"}`)
	return a
}

// login returns bob's tokens.
func (a *api) login() reply {
	a.t.Helper()
	return a.must("POST", "/v1/auth/login", bobsCredentials)
}

func TestRegisterAndLogin(t *testing.T) {
	a := register(t)
	r := a.expectError(a.do("POST", "/v1/auth/register", bobsCredentials), 409, fsm.CodeUserExists)
	if r.text("outcome") != "not_applied" {
		t.Errorf("register twice: %s", r.body)
	}
	if h := a.node.users["bob"].PasswordHash; !strings.HasPrefix(h, "$argon2id$") {
		t.Errorf("stored %q", h)
	}
	pair := a.login()
	if len(pair.fields) != 2 || pair.text("access_token") == "" || pair.text("refresh_token") == "" {
		t.Fatalf("login answered %s", pair.body)
	}
	a.token = pair.text("access_token")
	a.must("GET", "/v1/queues", "")
	a.token = pair.text("refresh_token")
	a.expectError(a.do("GET", "/v1/queues", ""), 401, fsm.CodeUnauthenticated)
}

func TestWrongCredentials(t *testing.T) {
	a := register(t)
	for _, body := range []string{
		`{"username":"bob","password":"wrong horse"}`,
		`{"username":"bob","password":"short"}`,
		`{"username":"Bob","password":"correct horse"}`,
		`{"username":"nobody","password":"correct horse"}`,
		`{"username":" no name\n","password":"correct horse"}`,
	} {
		for _, path := range []string{"/v1/auth/login", "/v1/auth/delete"} {
			if r := a.expectError(a.do("POST", path, body), 401, codeInvalidCredentials); r.text("detail") != "Wrong username or password." {
				t.Errorf("%s %s: %s", path, body, r.body)
			}
		}
		change := strings.Replace(body, "password", "old_password", 1)
		a.expectError(a.do("POST", "/v1/auth/change-password", strings.Replace(change, "}", `,"new_password":"12345678"}`, 1)), 401, codeInvalidCredentials)
	}
	if _, ok := a.node.users["bob"]; !ok || a.node.users["bob"].Version != 1 {
		t.Error("bob was changed")
	}
}

// TestRefreshWithinGraceGivesTheSamePair, and later ends the family.
func TestRefreshWithinGraceGivesTheSamePair(t *testing.T) {
	a := register(t)
	refresh := func(token string) reply { return a.do("POST", "/v1/auth/refresh", `{"refresh_token":"`+token+`"}`) }
	first := a.login()
	a.node.advance(time.Minute)
	second := refresh(first.text("refresh_token"))
	if second.status != 200 || second.text("refresh_token") == first.text("refresh_token") || len(second.fields) != 2 {
		t.Fatalf("refresh: %d %s", second.status, second.body)
	}
	a.node.advance(9 * time.Second)
	if again := refresh(first.text("refresh_token")); again.body != second.body {
		t.Errorf("again within 10 s: %s, want %s", again.body, second.body)
	}
	a.node.advance(2 * time.Second)
	a.expectError(refresh(first.text("refresh_token")), 401, fsm.CodeRefreshReused)
	a.expectError(refresh(second.text("refresh_token")), 401, fsm.CodeRefreshInvalid)

	third := a.login()
	a.expectError(refresh(third.text("access_token")), 401, fsm.CodeRefreshInvalid)
	a.expectError(refresh("x.y.z"), 401, fsm.CodeRefreshInvalid)
	a.node.advance(fsm.RefreshTokenLife)
	a.expectError(refresh(third.text("refresh_token")), 401, fsm.CodeRefreshInvalid)
}

func TestChangePasswordEndsOldTokens(t *testing.T) {
	a := register(t)
	old := a.login().text("access_token")
	a.expect("POST", "/v1/auth/change-password", `{"username":"bob","old_password":"correct horse","new_password":"better horse"}`,
		200, `{"username":"bob"}`)
	a.token = old
	a.expectError(a.do("GET", "/v1/queues", ""), 401, fsm.CodeUnauthenticated)
	a.expectError(a.do("POST", "/v1/queues", `{"name":"q"}`), 401, fsm.CodeUnauthenticated)
	a.expectError(a.do("POST", "/v1/auth/login", bobsCredentials), 401, codeInvalidCredentials)
	a.must("POST", "/v1/auth/login", `{"username":"bob","password":"better horse"}`)
}

func TestDeleteUserEndsTokens(t *testing.T) {
	a := register(t)
	a.token = a.login().text("access_token")
	a.expect("POST", "/v1/auth/delete", bobsCredentials, 200, `{"message":"User deleted successfully"}`)
	a.expectError(a.do("GET", "/v1/queues", ""), 401, fsm.CodeUnauthenticated)
	a.expectError(a.do("POST", "/v1/auth/login", bobsCredentials), 401, codeInvalidCredentials)
}

func TestAuthorizationHeader(t *testing.T) {
	a := newAPI(t)
	for header, ok := range map[string]bool{
		"Bearer " + a.token: true, "bearer  " + a.token + " ": true, "": false, "Bearer": false, "Bearer ": false, a.token: false,
		"Basic " + a.token: false, "Bearer x": false, "Bearer " + a.token + "x": false, "Bearer " + strings.Repeat("a", 10_000): false,
	} {
		r := httptest.NewRequest("GET", "/v1/queues", nil)
		r.Header.Set("Authorization", header)
		got := a.send(r)
		if ok && got.status != 200 {
			t.Errorf("%q: %d %s", clip(header), got.status, got.body)
		}
		if !ok {
			a.expectError(got, 401, fsm.CodeUnauthenticated)
		}
	}
}

// TestTokenExpires, also one that the cache knows.
func TestTokenExpires(t *testing.T) {
	a := newAPI(t)
	a.must("GET", "/v1/queues", "")
	a.node.advance(fsm.AccessTokenLife - time.Second)
	a.must("GET", "/v1/queues", "")
	a.node.advance(time.Second)
	a.expectError(a.do("GET", "/v1/queues", ""), 401, codeTokenExpired)
}

// TestUnknownKeyIsLookedUpAtTheLeader: a node with old keys, or none, refuses no good token.
func TestUnknownKeyIsLookedUpAtTheLeader(t *testing.T) {
	a := newAPI(t)
	a.node.keys = &fsmpb.Keys{SigningKeys: a.node.leader.SigningKeys[:1], ReceiptKey: a.node.leader.ReceiptKey}
	a.must("GET", "/v1/queues", "")
	a.node.keysErr = errors.New("joining")
	a.must("GET", "/v1/queues", "")
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`)

	a.node.err = errNoLeader
	a.expectError(a.do("GET", "/v1/queues", ""), 503, cluster.CodeNoLeader)
	a.node.err = nil
	a.node.leader = &fsmpb.Keys{SigningKeys: a.node.leader.SigningKeys[:1]}
	a.expectError(a.do("GET", "/v1/queues", ""), 401, fsm.CodeUnauthenticated)
}

// TestLostKeysAreForgotten: the cache is no longer asked when a key is gone.
func TestLostKeysAreForgotten(t *testing.T) {
	a := newAPI(t)
	a.must("GET", "/v1/queues", "")
	a.node.keys = &fsmpb.Keys{SigningKeys: a.node.leader.SigningKeys[:1]}
	a.node.leader = a.node.keys
	a.expectError(a.do("GET", "/v1/queues", ""), 401, fsm.CodeUnauthenticated)
}

// TestLoginWithoutSigningKey: nothing is proposed whose answer could not be made.
func TestLoginWithoutSigningKey(t *testing.T) {
	a := register(t)
	a.node.keys = &fsmpb.Keys{}
	before := len(a.node.commands)
	a.expectError(a.do("POST", "/v1/auth/login", bobsCredentials), 500, codeInternal)
	if len(a.node.commands) != before {
		t.Error("a log-in was proposed that could not be answered")
	}
}
