package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRawConn(t *testing.T) {
	long := strings.Repeat("long ", 10_000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/short":
			fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("Authorization"), body)
		case "/long": // more than net/http buffers, so it comes in chunks
			fmt.Fprint(w, long)
		case "/close":
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	c, err := newRawConn([]string{s.URL}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	tests := []struct {
		path   string
		status int // 0: an error
		want   string
	}{
		{"/short", 200, "POST Bearer token hello"}, {"/long", 200, long}, {"/short", 200, "POST Bearer token hello"},
		{"/close", 503, ""}, {"/abort", 0, ""}, {"/short", 200, "POST Bearer token hello"},
	}
	for _, test := range tests {
		status, answer, err := c.post(t.Context(), test.path, "token", []byte("hello"))
		if (err != nil) != (test.status == 0) || status != test.status || err == nil && string(answer) != test.want {
			t.Errorf("%s: %d %.40q %v, want %d %.40q", test.path, status, answer, err, test.status, test.want)
		}
	}
	for _, url := range []string{"https://x:1", "http://x", "127.0.0.1:80"} {
		if _, err := newRawConn([]string{url}, 0); err == nil {
			t.Errorf("address %q was accepted", url)
		}
	}
}

// BenchmarkRawConn is what the load generator itself costs, with the smallest possible server in the same process.
func BenchmarkRawConn(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"MessageId":"abc","status":"sent"}`)
	}))
	defer s.Close()
	body := []byte(`{"Action":"SendMessage","MessageBody":"` + strings.Repeat("x", 256) + `"}`)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		c, err := newRawConn([]string{s.URL}, 0)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.close()
		for pb.Next() {
			if _, _, err := c.post(b.Context(), "/", "token", body); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
