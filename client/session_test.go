package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// fakeAuth is a cluster that gives tokens: a refresh token is good once, and only the newest access token is.
type fakeAuth struct {
	t        *testing.T
	mu       sync.Mutex
	newest   Tokens
	given    int
	closed   bool     // who registers a user must say who asks
	requests []string // paths of /v1/auth, in their order
	sent     []string // Authorization headers of the other requests
}

func (a *fakeAuth) give() string {
	a.given++
	n := strings.Repeat("i", a.given)
	a.newest = Tokens{Access: "access-" + n, Refresh: "refresh-" + n}
	b, err := json.Marshal(a.newest)
	if err != nil {
		a.t.Error(err)
	}
	return string(b)
}

func (a *fakeAuth) answer(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var in struct {
		Refresh string `json:"refresh_token"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		a.t.Error(err)
	}
	path, isAuth := strings.CutPrefix(r.URL.Path, "/v1/auth/")
	if isAuth {
		a.requests = append(a.requests, path)
	} else {
		a.sent = append(a.sent, r.Header.Get("Authorization"))
	}
	switch {
	case path == "login":
		says(200, a.give())(w, r)
	case path == "refresh" && in.Refresh == a.newest.Refresh && in.Refresh != "":
		says(200, a.give())(w, r)
	case path == "refresh":
		says(401, `{"code":"refresh_reused"}`)(w, r)
	case path == "logout":
		a.newest = Tokens{}
		says(200, `{"message":"ok"}`)(w, r)
	case path == "register" && a.closed && r.Header.Get("Authorization") == "":
		says(403, `{"code":"registration_closed","outcome":"not_applied"}`)(w, r)
	case isAuth:
		says(200, `{"username":"ada"}`)(w, r)
	case r.Header.Get("Authorization") == "Bearer "+a.newest.Access:
		says(200, `{"queues":[]}`)(w, r)
	default:
		says(401, `{"code":"unauthenticated"}`)(w, r)
	}
}

// expire makes the newest access token invalid.
func (a *fakeAuth) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.newest.Access = "expired"
}

// startFakeAuth returns the fake and a client of it.
func startFakeAuth(t *testing.T, c Config) (*fakeAuth, *Client) {
	t.Helper()
	a := &fakeAuth{t: t}
	c.URLs = []string{"http://fake:1"}
	c.Transport = handlerTransport{http.HandlerFunc(a.answer)}
	cl, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a, cl
}

func TestTokensAreRefreshedAndALoginIsTheLastResort(t *testing.T) {
	a, c := startFakeAuth(t, Config{Username: "ada", Password: "secret password"})
	ask := func() {
		t.Helper()
		if _, err := c.Queues(t.Context()); err != nil {
			t.Error(err)
		}
	}
	ask()
	a.expire()
	ask()
	a.expire()
	ask() // with the rotated refresh token
	a.mu.Lock()
	a.newest = Tokens{Access: "expired", Refresh: "revoked"}
	a.mu.Unlock()
	ask()
	if want := []string{"login", "refresh", "refresh", "refresh", "login"}; !slices.Equal(a.requests, want) {
		t.Errorf("requests %v, want %v", a.requests, want)
	}
}

// TestALostRefreshIsTriedAgainWithinTheGrace: a refresh token that the cluster has taken is good for ten more seconds. Shown
// later, it ends the login. So no try may begin that could be applied after that, however patient the client is.
func TestALostRefreshIsTriedAgainWithinTheGrace(t *testing.T) {
	for _, test := range []struct {
		name    string
		config  Config
		lost    int // answers, each of a request that was applied
		renewed bool
		tries   []time.Duration // when each begins
		end     time.Duration
	}{
		{"the second node answers", Config{}, 1, true, []time.Duration{0, 4 * time.Second}, 4 * time.Second},
		{"none answers", Config{}, 9, false, []time.Duration{0, 4 * time.Second}, 8 * time.Second},
		{"none answers a patient client", Config{Patience: time.Hour}, 9, false, []time.Duration{0, 4 * time.Second}, 8 * time.Second},
		{"short attempts", Config{Timeout: 2 * time.Second, Patience: time.Hour}, 9, false,
			[]time.Duration{0, 2 * time.Second, 4 * time.Second}, 6 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var tries []time.Duration
				test.config.Transport = handlerTransport{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if tries = append(tries, time.Since(began)); len(tries) <= test.lost {
						<-r.Context().Done()
						return
					}
					says(200, `{"access_token":"a","refresh_token":"r2"}`)(w, r)
				})}
				test.config.URLs = []string{"http://a:1", "http://b:1", "http://c:1"}
				test.config.Tokens = newMemoryStore(Tokens{Refresh: "r"})
				c, err := New(test.config)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Renew(t.Context(), ""); (err == nil) != test.renewed {
					t.Errorf("renewed %v, error %v", test.renewed, err)
				}
				if end := time.Since(began); !slices.Equal(tries, test.tries) || end != test.end {
					t.Errorf("tries at %v, ended after %s; want %v and %s", tries, end, test.tries, test.end)
				}
			})
		})
	}
}

func TestLogoutForgetsTheTokens(t *testing.T) {
	a, c := startFakeAuth(t, Config{Username: "ada", Password: "secret password"})
	if err := c.Logout(t.Context()); err != nil || len(a.requests) != 0 {
		t.Errorf("logout without a login: %v, requests %v", err, a.requests)
	}
	if err := errors.Join(c.Login(t.Context()), c.Logout(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Queues(t.Context()); err != nil {
		t.Error(err)
	}
	if want := []string{"login", "logout", "login"}; !slices.Equal(a.requests, want) {
		t.Errorf("requests %v, want %v", a.requests, want)
	}
}

// Two clients that share a store share its tokens too: a refresh token that is used twice ends the login.
func TestClientsWithOneStoreRefreshOnce(t *testing.T) {
	store := newMemoryStore(Tokens{})
	a, c := startFakeAuth(t, Config{Username: "ada", Password: "secret password", Tokens: store})
	other, err := New(Config{URLs: []string{"http://fake:1"}, Tokens: store, Transport: handlerTransport{http.HandlerFunc(a.answer)}})
	if err != nil {
		t.Fatal(err)
	}
	clients := []*Client{c, other}
	for _, cl := range clients {
		if _, err := cl.Queues(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a.expire()
	var asking sync.WaitGroup
	for i := range 10 {
		asking.Go(func() {
			if _, err := clients[i%2].Queues(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if want := []string{"login", "refresh"}; !slices.Equal(a.requests, want) {
		t.Errorf("requests %v, want %v", a.requests, want)
	}
}

func TestWaitingForTheTokensOfAnotherEndsWithTheContext(t *testing.T) {
	store := newMemoryStore(Tokens{})
	_, c := startFakeAuth(t, Config{Username: "ada", Password: "secret password", Tokens: store})
	store.alone <- struct{}{} // somebody renews
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Queues(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestAnAPIKeyIsSentAndNeverRenewed(t *testing.T) {
	a, c := startFakeAuth(t, Config{APIKey: "fqk_x", Username: "ada", Password: "secret password"})
	_, err := c.Queues(t.Context())
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusUnauthorized {
		t.Errorf("error %v, want the refusal itself", err)
	}
	if len(a.requests) != 0 || !slices.Equal(a.sent, []string{"Bearer fqk_x"}) {
		t.Errorf("requests of /v1/auth %v, credentials sent %v", a.requests, a.sent)
	}
}

func TestRegisterUsesACredentialOnlyWhereItMust(t *testing.T) {
	admin := Config{Username: "admin", Password: "secret password"}
	for _, test := range []struct {
		name   string
		closed bool
		config Config
		want   []string
		fails  bool
	}{
		{"open", false, Config{}, []string{"register"}, false},
		{"open, as the user to be", false, admin, []string{"register"}, false},
		{"closed", true, Config{}, []string{"register"}, true},
		{"closed, as an admin", true, admin, []string{"register", "login", "register"}, false},
	} {
		a, c := startFakeAuth(t, test.config)
		a.closed = test.closed
		if err := c.Register(t.Context(), "ada", "secret password"); (err != nil) != test.fails || !slices.Equal(a.requests, test.want) {
			t.Errorf("%s: %v, requests %v, want %v", test.name, err, a.requests, test.want)
		}
	}
}
