package http1

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

const testDeadline = 30 * time.Second

// newServer is a server with a handler on a free port of this machine.
func newServer(t testing.TB, handler http.HandlerFunc, change func(*Server)) (*Server, string) {
	t.Helper()
	s := unstarted(handler, change)
	return s, serving(t, s.Serve, s.Shutdown)
}

func unstarted(handler http.HandlerFunc, change func(*Server)) *Server {
	s := &Server{
		Handler: handler, Logger: hclog.NewNullLogger(), Opened: func(int) {},
		ReadHeader: testDeadline, Read: testDeadline, Write: testDeadline, Idle: testDeadline, HeaderBytes: 8 << 10, Connections: 100,
	}
	if change != nil {
		change(s)
	}
	return s
}

// serving serves on a free port until the test ends.
func serving(t testing.TB, serve func(net.Listener) error, shutdown func(context.Context) error) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
		defer cancel()
		if err := shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "Server closed") {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return l.Addr().String()
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(testDeadline)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// tell answers with what it has seen of a request, in the header, so that HEAD has it too.
func tell(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var names []string
	for name, values := range r.Header {
		names = append(names, fmt.Sprintf("%s=%q", name, values))
	}
	slices.Sort(names)
	w.Header().Set("Seen", fmt.Sprintf("%s %q host %q %s length %d read %d %08x error %t close %t %s", r.Method, r.RequestURI, r.Host, r.Proto,
		r.ContentLength, len(body), crc32.ChecksumIEEE(body), err != nil, r.Close, strings.Join(names, " ")))
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// answersTo sends bytes on a new connection, says that there are no more, and returns one line for each answer.
func answersTo(t testing.TB, address, raw string) (lines []string) {
	t.Helper()
	c := dial(t, address)
	go func() { // a server may close before it has read everything
		_, _ = io.WriteString(c, raw)
		_ = c.CloseWrite()
	}()
	r := bufio.NewReader(c)
	for {
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			break
		}
		line := a.Status
		if a.StatusCode == http.StatusOK {
			line += fmt.Sprintf(" %s close %t", a.Header.Get("Seen"), a.Close)
		}
		lines = append(lines, line)
		if _, err := io.Copy(io.Discard, a.Body); err != nil {
			break
		}
	}
	return lines
}

// compared starts this server and net/http's, with the same limits and the same handler.
func compared(t testing.TB) (ours, theirs string) {
	t.Helper()
	_, ours = newServer(t, tell, nil)
	reference := &http.Server{Handler: http.HandlerFunc(tell), MaxHeaderBytes: 8 << 10}
	return ours, serving(t, reference.Serve, reference.Shutdown)
}

const get, post = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n", "POST /a HTTP/1.1\r\nHost: x\r\n"

// wire is what clients may send: well-formed, in pieces, old, wrong and malicious.
var wire = map[string]string{
	"a request":                       get + "\r\n",
	"two requests":                    get + "\r\n" + get + "X: y\r\n\r\n",
	"a body and a request":            post + "Content-Length: 3\r\n\r\nabc" + get + "\r\n",
	"line breaks behind a body":       post + "Content-Length: 3\r\n\r\nabc\r\n" + get + "\r\n",
	"chunks and a request":            post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get + "\r\n",
	"chunks with a trailer":           post + "Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n" + get + "\r\n",
	"a chunk that is no number":       post + "Transfer-Encoding: chunked\r\n\r\nz\r\nabc\r\n0\r\n\r\n" + get + "\r\n",
	"a long body":                     post + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000) + get + "\r\n",
	"a body that is cut off":          post + "Content-Length: 10\r\n\r\nabc",
	"a header that is cut off":        "GET / HTTP/1.1\r\nHost: x\r\nX:",
	"nothing":                         "",
	"close":                           get + "Connection: close\r\n\r\n" + get + "\r\n",
	"close among others":              get + "Connection: x, close\r\n\r\n" + get + "\r\n",
	"HTTP/1.0":                        "GET / HTTP/1.0\r\n\r\n" + get + "\r\n",
	"HTTP/1.0 that keeps":             "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get + "\r\n",
	"HEAD":                            "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get + "\r\n",
	"OPTIONS of a path":               "OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n",
	"a whole URI":                     "GET http://elsewhere/a HTTP/1.1\r\nHost: x\r\n\r\n",
	"a proxy's request":               "CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n",
	"a method of its own":             "BREW /a HTTP/1.1\r\nHost: x\r\n\r\n",
	"no method":                       " /a HTTP/1.1\r\nHost: x\r\n\r\n",
	"no host":                         "GET / HTTP/1.1\r\n\r\n",
	"two hosts":                       get + "Host: y\r\n\r\n",
	"a wrong host":                    "GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
	"a space before the colon":        get + "X : y\r\n\r\n",
	"a NUL in a value":                get + "X: a\x00b\r\n\r\n",
	"a NUL in the path":               "GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
	"a folded line":                   get + "X: a\r\n b\r\n\r\n",
	"line feeds only":                 strings.ReplaceAll(get+"\r\n"+get+"\r\n", "\r", ""),
	"a length and chunks":             post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get + "\r\n",
	"two lengths":                     post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" + get + "\r\n",
	"one length twice":                post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" + get + "\r\n",
	"a negative length":               post + "Content-Length: -3\r\n\r\nabc" + get + "\r\n",
	"a length with a sign":            post + "Content-Length: +3\r\n\r\nabc" + get + "\r\n",
	"an unknown encoding":             post + "Transfer-Encoding: gzip\r\n\r\nabc",
	"two encodings":                   post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"chunks in HTTP/1.0":              "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"an unknown expectation":          post + "Expect: tea\r\nContent-Length: 3\r\n\r\nabc",
	"a header as large as may be":     get + "X: " + strings.Repeat("x", 8<<10) + "\r\n\r\n" + get + "\r\n",
	"a header that is too large":      get + "X: " + strings.Repeat("x", 32<<10) + "\r\n\r\n" + get + "\r\n",
	"many small headers":              get + strings.Repeat("X: y\r\n", 4_000) + "\r\n",
	"the second header is too large":  get + "\r\n" + get + "X: " + strings.Repeat("x", 32<<10) + "\r\n\r\n",
	"HTTP/0.9":                        "GET /\r\n\r\n",
	"HTTP/9.9":                        "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
	"TLS":                             "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 500),
	"words":                           "hello there\r\n\r\n",
	"a request behind a wrong one":    "GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n" + get + "\r\n",
	"an upgrade":                      get + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
	"a path with a space":             "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
	"a small chunk at a time":         post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 5_000) + "0\r\n\r\n" + get + "\r\n",
	"a chunk with a long extension":   post + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 5_000) + "\r\nx\r\n0\r\n\r\n",
	"a hundred requests in one piece": strings.Repeat(get+"\r\n", 100),
}

// TestWhatIsSentMeansTheSameToNetHTTP: requests, their bodies, where one ends and the next begins, what is refused and what ends a
// connection.
func TestWhatIsSentMeansTheSameToNetHTTP(t *testing.T) {
	ours, theirs := compared(t)
	for name, raw := range wire {
		got, want := answersTo(t, ours, raw), answersTo(t, theirs, raw)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

// withoutBroken leaves out the answer to a request that was broken off, which net/http gives only from its fourth byte on.
func withoutBroken(answers []string) []string {
	if n := len(answers) - 1; n >= 0 && answers[n] == "400 Bad Request" {
		return answers[:n]
	}
	return answers
}

// FuzzWhatIsSentMeansTheSameToNetHTTP is the same for anything.
func FuzzWhatIsSentMeansTheSameToNetHTTP(f *testing.F) {
	for _, raw := range wire {
		f.Add(raw)
	}
	ours, theirs := compared(f)
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) > 64<<10 || strings.Contains(raw, "PRI") { // net/http's handlers see the beginning of HTTP/2
			return
		}
		got, want := withoutBroken(answersTo(t, ours, raw)), withoutBroken(answersTo(t, theirs, raw))
		if n := len(got) - 1; n >= 0 && strings.HasSuffix(got[n], "missing required Host header") && n < len(want) {
			got, want = got[:n], want[:n] // net/http takes an empty one
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", raw, got, want)
		}
	})
}
