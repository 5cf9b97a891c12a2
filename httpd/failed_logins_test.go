package httpd

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// TestFailedLoginsAreLogged with what is needed to find who guesses, whoever writes what into a name.
func TestFailedLoginsAreLogged(t *testing.T) {
	var log bytes.Buffer
	a := newStateAPIWith(t, Config{Logger: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})})
	a.must("POST", "/v1/auth/register", bobsCredentials)
	for _, c := range []struct{ path, body, by, want string }{
		{"/v1/auth/login", `{"username":"bob","password":"wrong horse"}`, "203.0.113.9, 10.0.0.1", `user=bob from=192.0.2.1:1234 x_forwarded_for="203.0.113.9, 10.0.0.1" path=/v1/auth/login request_id=mine`},
		{"/v1/auth/login", `{"username":"no\n2026 [ERROR] \u202ebody\" x=1","password":"wrong horse"}`, "", `user="no�2026 [ERROR] �body\" x=1" from=192.0.2.1:1234 path=`},
		{"/v1/auth/login", `{"username":"` + strings.Repeat("n", 10_000) + `","password":"wrong horse"}`, strings.Repeat("\xff", 300), `user=` + strings.Repeat("n", maxClipBytes) + "... "},
		{"/v1/auth/change-password", `{"username":"bob","old_password":"wrong horse","new_password":"better horse"}`, "", "path=/v1/auth/change-password"},
		{"/v1/auth/delete", `{"username":"bob","password":"wrong horse"}`, "", "path=/v1/auth/delete"},
	} {
		log.Reset()
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Header.Set("X-Request-Id", "mine")
		if c.by != "" {
			r.Header.Set("X-Forwarded-For", c.by)
		}
		a.expectError(a.send(r), 401, codeInvalidCredentials)
		line := log.String()
		if !strings.Contains(line, "[INFO]  wrong user name or password: ") || !strings.Contains(line, c.want) ||
			strings.Count(line, "\n") != 1 || len(line) > 800 || strings.Contains(line, "wrong horse") {
			t.Errorf("%s: logged %q, want %q", c.path, line, c.want)
		}
	}
	log.Reset()
	a.must("POST", "/v1/auth/login", bobsCredentials)
	if log.Len() > 0 {
		t.Errorf("the right password: %q", log.String())
	}
}

// TestFailedLoginsAreLoggedBounded: twenty lines a second, and one that counts the others.
func TestFailedLoginsAreLoggedBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var writing sync.Mutex // guards log: the count is written by a timer's goroutine
		f := failedLogins{logger: hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true, Mutex: &writing})}
		r := &request{http: httptest.NewRequest("POST", "/v1/auth/login", nil)}
		try := func(n int) {
			for range n {
				f.add(r, "bob")
			}
		}
		expect := func(lines int, count string) {
			t.Helper()
			synctest.Wait()
			writing.Lock()
			defer writing.Unlock()
			if got := strings.Count(log.String(), "user=bob"); got != lines || strings.Contains(log.String(), "not_listed") != (count != "") || !strings.Contains(log.String(), count) {
				t.Errorf("after %d of %d lines and %q: %s", got, lines, count, log.String())
			}
			log.Reset()
		}
		try(maxFailedLogins)
		expect(maxFailedLogins, "")
		time.Sleep(time.Second)
		try(1_000)
		expect(maxFailedLogins, "")
		time.Sleep(400 * time.Millisecond)
		try(100)
		expect(0, "")
		time.Sleep(600 * time.Millisecond)
		expect(0, fmt.Sprintf("not_listed=%d\n", 1_000+100-maxFailedLogins))
		try(1)
		expect(1, "")
		time.Sleep(time.Hour)
		expect(0, "")
	})
}
