package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fastqueue/fastqueue/client"
)

// withoutCredentials gives the test a home of its own and an environment that says nothing.
func withoutCredentials(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	for _, name := range secretVariables() {
		t.Setenv(name, "")
	}
	return home
}

// secretFile leaves a file with a line.
func secretFile(t *testing.T, name, line string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// keepLogin puts a login into the store of some addresses.
func keepLogin(t *testing.T, username, access string, urls ...string) {
	t.Helper()
	store, err := openLoginStore(urls)
	if err != nil {
		t.Fatal(err)
	}
	store.username = username
	err = store.Update(t.Context(), func(client.Tokens) (client.Tokens, error) {
		return client.Tokens{Access: access, Refresh: "refresh"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhoAsks takes the sources of credentials away one by one, the strongest first.
func TestWhoAsks(t *testing.T) {
	withoutCredentials(t)
	var asked []string
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/login" {
			_, _ = w.Write([]byte(`{"access_token":"by-password","refresh_token":"r"}`))
			return
		}
		asked = append(asked, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{"queues":[]}`))
	}))
	defer node.Close()
	keepLogin(t, "ada", "of-login", node.URL)
	t.Setenv("FASTQUEUE_API_KEY", "fqk_of-variable")
	t.Setenv("FASTQUEUE_PASSWORD", "password")
	t.Setenv("FASTQUEUE_TOKEN", "token-of-variable")
	flags := []string{"--url", node.URL, "--api-key-file", secretFile(t, "key", "fqk_of-file"), "--username", "ada"}
	ask := func() {
		t.Helper()
		var to connection
		f := pflag.NewFlagSet("test", pflag.ContinueOnError)
		to.addFlags(f)
		if err := f.Parse(flags); err != nil {
			t.Fatal(err)
		}
		api, err := to.open()
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		if _, err := api.Queues(t.Context()); err != nil {
			t.Error(err)
		}
	}
	ask()
	flags = []string{"--url", node.URL, "--username", "ada"}
	ask()
	t.Setenv("FASTQUEUE_API_KEY", "")
	ask()
	flags = flags[:2]
	ask()
	t.Setenv("FASTQUEUE_TOKEN", "")
	ask()
	want := "Bearer fqk_of-file, Bearer fqk_of-variable, Bearer by-password, Bearer token-of-variable, Bearer of-login"
	if got := strings.Join(asked, ", "); got != want {
		t.Errorf("asked with\n%s, want\n%s", got, want)
	}
}

func TestNobodyAsks(t *testing.T) {
	withoutCredentials(t)
	keepLogin(t, "ada", "a", "http://a:1")
	two := secretFile(t, "two", "one\ntwo")
	tests := []struct {
		to   connection
		code int
		says []string
	}{
		{connection{urls: []string{defaultURL}}, exitDenied, []string{"`fastqueue auth login`", "--api-key-file"}},
		{connection{urls: []string{"http://b:1", "http://a:1"}}, exitDenied, []string{"`fastqueue auth login --url http://b:1 --url http://a:1`"}},
		{connection{urls: []string{"http://a:1"}, username: "bob"}, exitDenied, []string{"no password for bob", "fastqueue auth login bob"}},
		{connection{urls: []string{"a:1"}, username: "ada", passwordFile: secretFile(t, "p", "p")}, exitUsage, []string{"--url", "http://HOST:PORT"}},
		{connection{urls: []string{"http://a:1"}, passwordFile: secretFile(t, "p", "p")}, exitUsage, []string{"--username"}},
		{connection{urls: []string{"http://a:1"}, apiKeyFile: two}, exitUsage, []string{"--api-key-file", "one line"}},
		{connection{urls: []string{"http://a:1"}, apiKeyFile: two + "-absent"}, exitUsage, []string{"--api-key-file", "no such file"}},
		{connection{urls: []string{"http://a:1"}, apiKeyFile: secretFile(t, "other", "a password")}, exitUsage, []string{"is not an API key (they begin with fqk_)"}},
	}
	for _, tc := range tests {
		_, err := tc.to.open()
		if exitCode(err) != tc.code {
			t.Errorf("%+v: error %v with code %d, want %d", tc.to, err, exitCode(err), tc.code)
			continue
		}
		for _, word := range tc.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%+v: %q does not say %q", tc.to, err, word)
			}
		}
	}
}
