package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cluster"
)

func testLoginStore(t *testing.T, urls ...string) *loginStore {
	t.Helper()
	s, err := openLoginStore(urls)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALoginBelongsToItsAddresses(t *testing.T) {
	withoutCredentials(t)
	keepLogin(t, "ada", "both", "http://a:1", "http://b:1/")
	keepLogin(t, "bob", "one", "http://a:1/v1")
	for _, tc := range []struct {
		urls []string
		want string
	}{
		{[]string{"http://b:1", "http://a:1/"}, "both"},
		{[]string{"http://a:1"}, "one"},
		{[]string{"http://b:1"}, ""},
	} {
		if got, err := testLoginStore(t, tc.urls...).read(); err != nil || got.Access != tc.want {
			t.Errorf("%v: %+v, %v, want %q", tc.urls, got, err, tc.want)
		}
	}
}

func TestOnlyItsOwnerReadsALogin(t *testing.T) {
	home := withoutCredentials(t)
	dir := filepath.Join(home, "fastqueue")
	if err := os.Mkdir(dir, 0o755); err != nil { // as a person makes it for a configuration file
		t.Fatal(err)
	}
	keepLogin(t, "ada", "a", "http://a:1")
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, loginFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestAnEndedLoginIsRemovedAndARefusedRenewalKeepsIt(t *testing.T) {
	withoutCredentials(t)
	keepLogin(t, "ada", "a", "http://a:1")
	keepLogin(t, "bob", "b", "http://b:1")
	s := testLoginStore(t, "http://a:1")
	failure := errors.New("refused")
	if err := s.Update(t.Context(), func(client.Tokens) (client.Tokens, error) { return client.Tokens{}, failure }); !errors.Is(err, failure) {
		t.Errorf("error %v, want the renewal's", err)
	}
	if got, err := s.read(); err != nil || got.Access != "a" || got.Username != "ada" {
		t.Errorf("after a renewal that failed: %+v, %v", got, err)
	}
	if err := s.Update(t.Context(), func(client.Tokens) (client.Tokens, error) { return client.Tokens{}, nil }); err != nil {
		t.Fatal(err)
	}
	all, err := s.readAll()
	if err != nil || len(all) != 1 || all["http://b:1"].Access != "b" {
		t.Errorf("the file holds %v, %v, want bob's login alone", all, err)
	}
}

// Many verbs that run at once renew one after the other, each with what the last one left.
func TestRenewalsHappenOneAfterTheOther(t *testing.T) {
	withoutCredentials(t)
	keepLogin(t, "ada", "0", "http://a:1")
	var verbs sync.WaitGroup
	for range 20 {
		s := testLoginStore(t, "http://a:1") // as every process opens it
		verbs.Go(func() {
			err := s.Update(t.Context(), func(old client.Tokens) (client.Tokens, error) {
				n, err := strconv.Atoi(old.Access)
				return client.Tokens{Access: strconv.Itoa(n + 1), Refresh: "r"}, err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	verbs.Wait()
	if got, err := testLoginStore(t, "http://a:1").read(); err != nil || got.Access != "20" {
		t.Errorf("after 20 renewals: %+v, %v", got, err)
	}
}

func TestWaitingForALoginEndsWithTheContext(t *testing.T) {
	withoutCredentials(t)
	s := testLoginStore(t, "http://a:1")
	lock, err := s.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	renew := func(client.Tokens) (client.Tokens, error) {
		t.Error("renewed beside another process")
		return client.Tokens{}, nil
	}
	if err := s.Update(ctx, renew); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

// withoutWriting makes a store behave as on a disk that is read-only: the lock can be taken, nothing can be written. It returns
// the warnings.
func withoutWriting(s *loginStore) (warnings *[]string) {
	warnings = new([]string)
	s.warn = func(text string) { *warnings = append(*warnings, text) }
	s.write = func(path string, _ []byte) error { return &os.PathError{Op: "open", Path: path, Err: syscall.EROFS} }
	return warnings
}

func TestALoginIsUsedWhereNothingCanBeWritten(t *testing.T) {
	home := withoutCredentials(t)
	keepLogin(t, "ada", "fresh", "http://a:1")
	if err := os.Remove(filepath.Join(home, "fastqueue", loginLockFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, "fastqueue", loginLockFile), 0o500); err != nil { // can't be opened for writing
		t.Fatal(err)
	}
	s := testLoginStore(t, "http://a:1")
	warnings := withoutWriting(s)
	same := func(old client.Tokens) (client.Tokens, error) { return old, nil }
	if err := s.Update(t.Context(), same); err != nil || len(*warnings) != 0 {
		t.Errorf("a fresh login: %v, warnings %q", err, *warnings)
	}
	for i, want := range []string{"fresh", "renewed", "renewed again"} { // each renewal begins with what the last one left
		var had string
		err := s.Update(t.Context(), func(old client.Tokens) (client.Tokens, error) {
			had = old.Access
			return client.Tokens{Access: []string{"renewed", "renewed again", "renewed again"}[i], Refresh: "r"}, nil
		})
		if err != nil || had != want {
			t.Errorf("renewal %d had %q, %v; want %q", i, had, err, want)
		}
	}
	if len(*warnings) != 2 || !strings.Contains((*warnings)[0], "new log-in") {
		t.Errorf("warnings %q, want one for each renewal that could not be kept", *warnings)
	}
}

func TestALoginThatCannotBeKeptOrRemovedIsAnError(t *testing.T) {
	withoutCredentials(t)
	keepLogin(t, "ada", "a", "http://a:1")
	change := func(client.Tokens) (client.Tokens, error) { return client.Tokens{Access: "b", Refresh: "r"}, nil }
	s := testLoginStore(t, "http://a:1")
	s.username = "ada"
	withoutWriting(s)
	if err := s.Update(t.Context(), change); exitCode(err) != cluster.ExitStorage {
		t.Errorf("log-in: %v with code %d, want %d", err, exitCode(err), cluster.ExitStorage)
	}

	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }))
	defer node.Close()
	keepLogin(t, "ada", "a", node.URL)
	s = testLoginStore(t, node.URL)
	withoutWriting(s)
	_, err := endLogin(t.Context(), &connection{urls: []string{node.URL}}, s)
	if err == nil || strings.Count(err.Error(), syscall.EROFS.Error()) != 1 || exitCode(err) != cluster.ExitStorage {
		t.Errorf("log-out: %v with code %d; want the reason once, and %d", err, exitCode(err), cluster.ExitStorage)
	}
}

func TestADamagedLoginFileIsReplacedOrRemoved(t *testing.T) {
	withoutCredentials(t)
	s := testLoginStore(t, "http://a:1")
	keepLogin(t, "ada", "a", "http://a:1")
	damage := func() {
		if err := os.WriteFile(s.path(), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var warnings []string
	s.warn = func(text string) { warnings = append(warnings, text) }
	damage()
	if message, err := endLogin(t.Context(), &connection{urls: []string{"http://a:1"}}, s); err != nil || !strings.Contains(message, "no login") || fileExists(s.path()) {
		t.Errorf("log-out: %q, %v, the file is there: %t", message, err, fileExists(s.path()))
	}
	damage()
	s.username = "bob"
	err := s.Update(t.Context(), func(client.Tokens) (client.Tokens, error) { return client.Tokens{Access: "b", Refresh: "r"}, nil })
	if got, readErr := s.read(); err != nil || readErr != nil || got.Username != "bob" {
		t.Errorf("log-in: %v, then %+v, %v", err, got, readErr)
	}
	if len(warnings) != 2 {
		t.Errorf("warnings %q, want one each", warnings)
	}
}

func TestADamagedLoginFileSaysWhatToDo(t *testing.T) {
	withoutCredentials(t)
	keepLogin(t, "ada", "a", "http://a:1")
	s := testLoginStore(t, "http://a:1")
	if err := os.WriteFile(s.path(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.read(); err == nil || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("error %v", err)
	}
}
