package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// exchange sends bytes and reads one answer.
func exchange(t *testing.T, c net.Conn, r *bufio.Reader, raw string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	return answer(t, r)
}

func answer(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("answer broken off: %v after %q", err, body)
	}
	return a, string(body)
}

// wantEnd checks that the server closes a connection without another word.
func wantEnd(t *testing.T, r io.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("the connection ended with %q, %v", rest, err)
	}
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("long ", 10_000)
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string // of the answer, without its date
	}{
		"nothing at all": {
			func(http.ResponseWriter, *http.Request) {},
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		},
		"a status": {
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(500) },
			"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		},
		"no content": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(204)
				if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
					t.Errorf("a body with 204: %v", err)
				}
			},
			"HTTP/1.1 204 No Content\r\n\r\n",
		},
		"a body of a known length": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Length"], w.Header()["B"], w.Header()["A"] = []string{"50000"}, []string{"2"}, []string{"0", "1"}
				if n, err := io.WriteString(w, long); n != len(long) || err != nil {
					t.Errorf("%d bytes written, %v", n, err)
				}
			},
			"HTTP/1.1 200 OK\r\nA: 0\r\nA: 1\r\nB: 2\r\nContent-Length: 50000\r\n\r\n" + long,
		},
		"a body of an unknown length": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "abc") },
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
		},
		"less than was announced": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "4")
				_, _ = io.WriteString(w, "abc")
			},
			"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
		},
		"more than was announced": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "3")
				_, _ = io.WriteString(w, "abc")
				for range 2 {
					if _, err := io.WriteString(w, "d"); !errors.Is(err, http.ErrContentLength) {
						t.Errorf("a fourth byte of three: %v", err)
					}
				}
			},
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		},
		"a header of two lines": {
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("A", "b\r\nC: d") },
			"HTTP/1.1 200 OK\r\nA: b  C: d\r\nContent-Length: 0\r\n\r\n",
		},
		"the last one": {
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") },
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		},
		"a panic": {
			func(http.ResponseWriter, *http.Request) { panic("of a test") },
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, address := newServer(t, c.handler, nil)
			conn := dial(t, address)
			if _, err := io.WriteString(conn, get+"\r\n"); err != nil {
				t.Fatal(err)
			}
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			got := string(raw)
			if c.want != "" {
				first, rest, _ := strings.Cut(got, "\r\n")
				date, rest, _ := strings.Cut(rest, "\r\n")
				if _, err := http.ParseTime(strings.TrimPrefix(date, "Date: ")); err != nil {
					t.Errorf("second line %q: %v", date, err)
				}
				got = first + "\r\n" + rest
			}
			if got != c.want {
				t.Errorf("got %.300q, want %.300q", got, c.want)
			}
		})
	}
}

func TestABodyThatNobodyReads(t *testing.T) {
	_, address := newServer(t, func(http.ResponseWriter, *http.Request) {}, nil)
	t.Run("short", func(t *testing.T) {
		c := dial(t, address)
		r := bufio.NewReader(c)
		for range 2 { // the connection goes on behind it
			if a, _ := exchange(t, c, r, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", post, maxUnread, strings.Repeat("x", maxUnread))); a.Close {
				t.Error("the connection ends")
			}
		}
	})
	t.Run("long", func(t *testing.T) {
		c := dial(t, address)
		r := bufio.NewReader(c)
		a, _ := exchange(t, c, r, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", post, 2*maxUnread, strings.Repeat("x", 2*maxUnread)))
		if !a.Close {
			t.Error("the connection goes on")
		}
		wantEnd(t, r)
	})
	t.Run("held back", func(t *testing.T) { // nobody has asked for it, so it may come or not
		c := dial(t, address)
		r := bufio.NewReader(c)
		if a, _ := exchange(t, c, r, post+"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"); a.StatusCode != 200 || !a.Close {
			t.Errorf("answered %d, close %t", a.StatusCode, a.Close)
		}
		wantEnd(t, r)
	})
}

func TestABodyThatIsAskedFor(t *testing.T) {
	_, address := newServer(t, tell, nil)
	c := dial(t, address)
	r := bufio.NewReader(c)
	for range 2 {
		a, _ := exchange(t, c, r, post+"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
		if a.StatusCode != http.StatusContinue {
			t.Fatalf("answered %s", a.Status)
		}
		if a, _ := exchange(t, c, r, "abc"); a.StatusCode != 200 || !strings.Contains(a.Header.Get("Seen"), "read 3") {
			t.Errorf("answered %s, %s", a.Status, a.Header.Get("Seen"))
		}
	}
}

// TestAClientThatGoes: its request's context ends, whatever it had sent and wherever the handler is.
func TestAClientThatGoes(t *testing.T) {
	for name, request := range map[string]string{
		"without a body": get + "\r\n",
		"with a body":    post + "Content-Length: 3\r\n\r\nabc",
		"with the next":  get + "\r\n\r\n" + get,
		"second request": get + "First: yes\r\n\r\n" + post + "Content-Length: 3\r\n\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			entered, ended := make(chan bool), make(chan error)
			_, address := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					t.Error(err)
				}
				if r.Header.Get("First") != "" {
					return
				}
				close(entered)
				<-r.Context().Done()
				ended <- r.Context().Err()
			}, nil)
			c := dial(t, address)
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			<-entered
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			case <-time.After(testDeadline):
				t.Fatal("the handler was not told")
			}
		})
	}
}

// TestALongRequestIsWatchedAndTheConnectionGoesOn: what is read ahead meanwhile is the next request, and no deadline is left.
func TestALongRequestIsWatchedAndTheConnectionGoesOn(t *testing.T) {
	var server *Server
	watched := make(chan bool, 1)
	server, address := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Header.Get("Long") != "" {
			for began := time.Now(); !server.watches(); time.Sleep(time.Millisecond) {
				if time.Since(began) > testDeadline {
					t.Error("the client is not watched")
					break
				}
			}
			watched <- true
		}
		tell(w, r)
	}, func(s *Server) { s.Read = 50 * time.Millisecond }) // shorter than the handler takes
	c := dial(t, address)
	r := bufio.NewReader(c)
	for _, ahead := range []string{"", get + "\r\n"} {
		if _, err := io.WriteString(c, post+"Long: yes\r\nContent-Length: 3\r\n\r\nabc"); err != nil {
			t.Fatal(err)
		}
		<-watched
		if a, _ := exchange(t, c, r, ahead); a.StatusCode != 200 || !strings.Contains(a.Header.Get("Seen"), "read 3") {
			t.Errorf("answered %s, %s", a.Status, a.Header.Get("Seen"))
		}
		if ahead != "" {
			answer(t, r)
		}
		if a, _ := exchange(t, c, r, get+"\r\n"); a.StatusCode != 200 {
			t.Errorf("the next request: %s", a.Status)
		}
	}
}

// watches tells whether the client of some connection is watched.
func (s *Server) watches() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.watch.mu.Lock()
		watches := c.watch.stopped != nil
		c.watch.mu.Unlock()
		if watches {
			return true
		}
	}
	return false
}

// TestTime: a client that is silent, or slow, is given up.
func TestTime(t *testing.T) {
	for name, c := range map[string]struct {
		raw    string
		change func(*Server)
	}{
		"nothing at first":    {"", func(s *Server) { s.ReadHeader = time.Millisecond }},
		"a header":            {"GET / HTTP/1.1\r\n", func(s *Server) { s.ReadHeader = time.Millisecond }},
		"a body":              {post + "Content-Length: 3\r\n\r\na", func(s *Server) { s.Read = time.Millisecond }},
		"between requests":    {get + "\r\n", func(s *Server) { s.Idle = time.Millisecond }},
		"the second's header": {get + "\r\nGET /", func(s *Server) { s.ReadHeader = 50 * time.Millisecond }},
	} {
		t.Run(name, func(t *testing.T) {
			_, address := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					panic(http.ErrAbortHandler)
				}
			}, c.change)
			conn := dial(t, address)
			if _, err := io.WriteString(conn, c.raw); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil { // ends when the server ends it, or at the test's deadline
				t.Error(err)
			}
		})
	}
}

func TestShutdown(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	s, address := newServer(t, func(http.ResponseWriter, *http.Request) {
		entered <- true
		<-leave
	}, nil)
	idle, silent, busy := dial(t, address), dial(t, address), dial(t, address)
	go func() { _, _ = io.WriteString(idle, get+"\r\n") }()
	<-entered
	leave <- true
	r := bufio.NewReader(idle)
	answer(t, r)
	go func() { _, _ = io.WriteString(busy, get+"\r\n") }()
	<-entered

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown beside a request: %v", err)
	}
	wantEnd(t, r)
	wantEnd(t, silent)
	if c, err := net.Dial("tcp", address); err == nil {
		t.Error("a connection was accepted")
		_ = c.Close()
	}
	ended := make(chan error)
	go func() { ended <- s.Shutdown(context.Background()) }()
	leave <- true
	if err := <-ended; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	last := bufio.NewReader(busy)
	if a, _ := answer(t, last); a.StatusCode != 200 || !a.Close {
		t.Errorf("the last request: %s, close %t", a.Status, a.Close)
	}
	wantEnd(t, last)
}

func TestCloseEndsRequestsInProgress(t *testing.T) {
	entered := make(chan bool)
	s, address := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}, nil)
	c := dial(t, address)
	if _, err := io.WriteString(c, get+"\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Shutdown(context.Background()); err != nil { // returns when the handler has
		t.Error(err)
	}
}

func TestServeAfterShutdown(t *testing.T) {
	s := unstarted(tell, nil)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the port is open: %v", err)
	}
}

// TestNoMoreConnectionsThanAllowed: the next waits until one ends.
func TestNoMoreConnectionsThanAllowed(t *testing.T) {
	opened := make(chan int, 10)
	_, address := newServer(t, tell, func(s *Server) { s.Connections, s.Opened = 1, func(by int) { opened <- by } })
	first, second := dial(t, address), dial(t, address)
	if by := <-opened; by != 1 {
		t.Errorf("opened %d", by)
	}
	if _, err := io.WriteString(second, get+"\r\n"); err != nil {
		t.Fatal(err)
	}
	exchange(t, first, bufio.NewReader(first), get+"\r\n")
	select {
	case by := <-opened:
		t.Errorf("while one is open: %d", by)
	default:
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	answer(t, bufio.NewReader(second))
	if ended, began := <-opened, <-opened; ended != -1 || began != 1 {
		t.Errorf("then %d and %d", ended, began)
	}
}

// brokenListener fails to accept before it accepts.
type brokenListener struct {
	net.Listener
	failures int
}

func (l *brokenListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestConnectionsAreAcceptedAgainAfterFailures(t *testing.T) {
	s := unstarted(tell, nil)
	address := serving(t, func(l net.Listener) error { return s.Serve(&brokenListener{l, 2}) }, s.Shutdown)
	c := dial(t, address)
	exchange(t, c, bufio.NewReader(c), get+"\r\n")
}
