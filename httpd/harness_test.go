package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// api is a server on a fake node, and a user who may use it.
type api struct {
	t      testing.TB
	node   *fakeNode
	server *Server
	token  string

	// undocumented lets pass what the API's document does not have: the test has routes of its own, or its node answers
	// what a real one never would.
	undocumented bool
}

const testUser = "ada"

// newAPI makes a server whose user ada exists; only log-in and change of password cost hashing.
func newAPI(t testing.TB) *api {
	t.Helper()
	a := newAPIWith(t, routes())
	a.undocumented = false
	return a
}

func newAPIWith(t testing.TB, table []route) *api {
	t.Helper()
	n := newFakeNode()
	a := &api{t: t, node: n, server: newServer(Config{}, n, table), undocumented: true}
	n.users[testUser] = &fsmpb.User{Id: n.id(), Name: testUser, Version: 1, Role: "user"}
	a.token = a.tokenFor(n.users[testUser])
	return a
}

func (a *api) tokenFor(u *fsmpb.User) string {
	a.t.Helper()
	keys := authKeys(a.node.leader)
	c := auth.Claims{Name: u.Name, User: u.Id, Version: u.Version, Role: u.Role, Family: 99, Generation: 1}
	text, err := auth.SignAccess(keys[len(keys)-1], c, a.node.now.UnixMilli(), 15*60*1e9)
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string         // without the newline that ends it
	fields map[string]any // of the body, when it is a JSON object
}

func (a *api) do(method, path, body string) reply {
	a.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.send(r)
}

func (a *api) send(r *http.Request) reply {
	a.t.Helper()
	w := httptest.NewRecorder()
	var sent bytes.Buffer
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, &sent), r.Body}
	a.server.Handler().ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header(), body: strings.TrimSuffix(w.Body.String(), "\n")}
	a.check(exchange{r.Method, r.URL.RequestURI(), sent.Bytes(), w.Code, w.Header(), w.Body.Bytes()})
	if w.Body.Len() == 0 || w.Header().Get("Content-Type") != "application/json" {
		return out
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out.fields); err != nil {
		a.t.Errorf("%s %s: %v in %s", r.Method, r.URL, err, out.body)
	}
	return out
}

// check holds an exchange against the API's document: what is not in it is an error.
func (a *api) check(x exchange) {
	a.t.Helper()
	if a.undocumented {
		return
	}
	c, err := apiChecker()
	if err == nil {
		err = errors.Join(c.check(x), c.checkHeaders(x))
	}
	if err != nil {
		a.t.Errorf("against the API's document: %v", err)
	}
}

// must is do for requests that the test needs to succeed.
func (a *api) must(method, path, body string) reply {
	a.t.Helper()
	r := a.do(method, path, body)
	if r.status >= 300 {
		a.t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return r
}

// expect checks a whole answer.
func (a *api) expect(method, path, body string, status int, want string) {
	a.t.Helper()
	if r := a.do(method, path, body); r.status != status || r.body != want {
		a.t.Errorf("%s %s %s:\n got %d %s\nwant %d %s", method, path, clip(body), r.status, r.body, status, want)
	}
}

// expectError checks an error's status, code and shape, and returns it.
func (a *api) expectError(r reply, status int, code string) reply {
	a.t.Helper()
	if r.status != status || r.fields["code"] != code {
		a.t.Errorf("got %d %s, want %d %s", r.status, r.body, status, code)
	}
	detail, ok := r.fields["detail"].(string)
	if !ok || detail == "" {
		a.t.Errorf("no detail in %s", r.body)
	}
	if id := r.header.Get("X-Request-Id"); id == "" || r.fields["request_id"] != id {
		a.t.Errorf("request_id of %s is not %q", r.body, id)
	}
	return r
}

func (r reply) text(field string) string {
	s, _ := r.fields[field].(string)
	return s
}
