package httpd

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
)

// TestBrokenRequestsOnTheWire sends what no HTTP library would. The server answers or hangs up, goes on for the others, and
// keeps nothing of it.
func TestBrokenRequestsOnTheWire(t *testing.T) {
	a := listening(t, Limits{ReadHeader: time.Second, Read: time.Second, Idle: 100 * time.Millisecond})
	good := "\r\nHost: x\r\nAuthorization: Bearer " + a.token
	post := "POST /v1/queue/q HTTP/1.1" + good
	deep := func(open string) string {
		return `{"Action":"SendMessage","MessageBody":"x","x":` + strings.Repeat(open, 100_000)
	}
	body := func(s string) string { return fmt.Sprintf("%s\r\nContent-Length: %d\r\n\r\n%s", post, len(s), s) }
	requests := []struct {
		name, request string
		statuses      string // any of them, separated by spaces
	}{
		{"100,000 arrays", body(deep("[")), "400"},
		{"100,000 objects", body(deep(`{"a":`)), "400"},
		{"NUL in JSON", body("{\"Action\":\"SendMessage\",\"MessageBody\":\"a\x00b\"}"), "400"},
		{"bad UTF-8", body("{\"Action\":\"SendMessage\",\"MessageBody\":\"\xc3\x28\"}"), "400"},
		{"a name given twice", body(`{"Action":"SendMessage","Action":"ReceiveMessage","MessageBody":"x"}`), "400"},
		{"a huge number", body(`{"Action":"ReceiveMessage","WaitTimeSeconds":1` + strings.Repeat("0", 100_000) + `}`), "400"},
		{"gzip", post + "\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", "415"},
		{"two encodings", post + "\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "400 415"},
		{"chunked garbage", post + "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "400"},
		{"an endless chunk size", post + "\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("f", 100_000), "400"},
		{"an endless chunk extension", post + "\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 100_000), "400"},
		{"gzip as transfer encoding", post + "\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
		{"two lengths", post + "\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400"},
		{"a negative length", post + "\r\nContent-Length: -1\r\n\r\n{}", "400"},
		{"a length beyond all numbers", post + "\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"},
		{"a body that does not come", post + "\r\nContent-Length: 1000000\r\n\r\n{", "400"},
		{"no host", "GET /livez HTTP/1.1\r\n\r\n", "400"},
		{"two hosts", "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		{"NUL in the path", "GET /v1/queues/a\x00b HTTP/1.1" + good + "\r\n\r\n", "400"},
		{"NUL in a header", "GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", "400"},
		{"a space before a colon", "GET /livez HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n", "400"},
		{"a folded header", "GET /livez HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n", "200 400"},
		{"10,000 headers", "GET /livez HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 10_000) + "\r\n", "431"},
		{"a header of 1 MiB", "GET /livez HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "431"},
		{"a path of 1 MiB", "GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
		{"a cookie jar", "GET /livez HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("a=b; ", 5_000) + "\r\n\r\n", "200 431"},
		{"HTTP/1.0", "GET /livez HTTP/1.0\r\n\r\n", "200"},
		{"HTTP/0.9", "GET /livez\r\n\r\n", "400"},
		{"HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "404 400 505"},
		{"HTTP/9.9", "GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", "505"},
		{"an absolute URI", "GET http://elsewhere/livez HTTP/1.1\r\nHost: x\r\n\r\n", "200"},
		{"a proxy's request", "CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n", "404 405"},
		{"an upgrade", "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n", "200"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 500), "400"},
		{"a long method", strings.Repeat("G", 10_000) + " / HTTP/1.1\r\nHost: x\r\n\r\n", "400 404 405"},
		{"line breaks only", strings.Repeat("\r\n", 1_000), "400"},
		{"smuggled", post + "\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
	}
	run := func() {
		var ended sync.WaitGroup
		for _, c := range requests {
			conn := a.dial()
			ended.Go(func() {
				// The server may hang up while it still gets bytes.
				_, _ = io.WriteString(conn, c.request)
				answer, _ := io.ReadAll(io.LimitReader(conn, 1<<20))
				if err := conn.Close(); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				status := ""
				if fields := strings.Fields(string(answer)); len(fields) > 1 {
					status = fields[1]
				}
				lost := len(answer) == 0 && c.statuses == "431" // with the connection
				if !slices.Contains(strings.Fields(c.statuses), status) && !lost {
					t.Errorf("%s: answered %q, want %s", c.name, clip(string(answer)), c.statuses)
				}
			})
		}
		ended.Wait()
	}
	run()
	leavesNothing(t, a, run)
}

// leavesNothing checks that the server is as it was before: it answers, and neither goroutines nor memory are left over.
// What do needs once, it has needed before.
func leavesNothing(t *testing.T, a *api, do func()) {
	t.Helper()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	goroutines, used := runtime.NumGoroutine(), heap()
	do()
	deadline := time.Now().Add(20 * time.Second)
	for {
		moreGoroutines, more := runtime.NumGoroutine()-goroutines, int64(heap())-int64(used)
		if moreGoroutines <= 3 && more < 4<<20 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("left over: %d goroutines, %d bytes", moreGoroutines, more)
			break
		}
	}
	if status, text := a.sendAll("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close", ""); status != 200 {
		t.Errorf("afterwards: %d %s", status, text)
	}
}

// TestPipelinedRequestsAreAnsweredInTheirOrder, each once, however many come in one packet.
func TestPipelinedRequestsAreAnsweredInTheirOrder(t *testing.T) {
	a := listening(t, Limits{})
	conn := a.dial()
	var all strings.Builder
	for i := range 200 {
		fmt.Fprintf(&all, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: r%d\r\n\r\n", i)
	}
	all.WriteString("GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: last\r\nConnection: close\r\n\r\n")
	if _, err := io.WriteString(conn, all.String()); err != nil {
		t.Fatal(err)
	}
	answers, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(answers), "HTTP/1.1 200 OK")
	if len(parts) != 202 {
		t.Fatalf("%d answers", len(parts)-1)
	}
	for i := range 200 {
		if !strings.Contains(parts[i+1], fmt.Sprintf("X-Request-Id: r%d\r\n", i)) {
			t.Fatalf("answer %d is %q", i, parts[i+1])
		}
	}
}

// TestAFloodOfConnectionsIsBounded: those above the limit cost the server nothing, and it answers when they are gone.
func TestAFloodOfConnectionsIsBounded(t *testing.T) {
	const limit, flood = 20, 300
	a := listening(t, Limits{Connections: limit})
	leavesNothing(t, a, func() {
		before := runtime.NumGoroutine()
		var conns []net.Conn
		for range flood {
			conn := a.dial()
			if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\n"); err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		if now := runtime.NumGoroutine(); now > before+2*limit {
			t.Errorf("%d goroutines for %d connections, %d are allowed", now-before, flood, limit)
		}
		for _, conn := range conns {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestHostileTokens: only what the cluster signed, unchanged and in its time, is an access token.
func TestHostileTokens(t *testing.T) {
	a := newAPI(t)
	keys := authKeys(a.node.leader)
	key, now := keys[len(keys)-1], a.node.now
	u := a.node.users[testUser]
	claims := jwt.MapClaims{"use": "access", "sub": u.Name, "uid": u.Id, "ver": u.Version, "role": u.Role, "fam": 99, "gen": 1,
		"iat": now.Unix(), "exp": now.Unix() + 900}
	with := func(name string, value any) jwt.MapClaims {
		changed := jwt.MapClaims{}
		for k, v := range claims {
			changed[k] = v
		}
		changed[name] = value
		return changed
	}
	sign := func(method jwt.SigningMethod, secret any, kid any, c jwt.MapClaims) string {
		token := jwt.NewWithClaims(method, c)
		if kid != nil {
			token.Header["kid"] = kid
		}
		text, err := token.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ours := func(c jwt.MapClaims) string { return sign(jwt.SigningMethodHS256, key.Secret, key.ID, c) }
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	valid := ours(claims)
	parts := strings.Split(valid, ".")
	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	header := func(h string) string { return segment(h) + "." + parts[1] + "." + parts[2] }
	refresh, err := auth.SignRefresh(key, auth.Claims{Name: u.Name, User: u.Id, Version: u.Version, Role: u.Role, Family: 99, Generation: 1}, now.UnixMilli(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	try := func(text string) reply {
		r := httptest.NewRequest("GET", "/v1/queues", bytes.NewReader(nil))
		r.Header["Authorization"] = []string{"Bearer " + text}
		return a.send(r)
	}
	if r := try(valid); r.status != 200 {
		t.Fatalf("the token that the others are made of: %d %s", r.status, r.body)
	}
	for name, text := range map[string]string{
		"alg none":                sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, key.ID, claims),
		"alg None":                header(`{"alg":"None","kid":"` + key.ID + `"}`),
		"alg none, our signature": header(`{"alg":"none","kid":"` + key.ID + `"}`),
		"no alg":                  header(`{"kid":"` + key.ID + `"}`),
		"alg a number":            header(`{"alg":256,"kid":"` + key.ID + `"}`),
		"HS512 with our key":      sign(jwt.SigningMethodHS512, key.Secret, key.ID, claims),
		"HS384 with our key":      sign(jwt.SigningMethodHS384, key.Secret, key.ID, claims),
		"RS256":                   sign(jwt.SigningMethodRS256, private, key.ID, claims),
		"RS256, our signature":    header(`{"alg":"RS256","kid":"` + key.ID + `"}`),
		"another cluster's key":   sign(jwt.SigningMethodHS256, []byte("another cluster's secret"), key.ID, claims),
		"an empty secret":         sign(jwt.SigningMethodHS256, []byte{}, key.ID, claims),
		"the older key's kid":     sign(jwt.SigningMethodHS256, key.Secret, keys[0].ID, claims),
		"an unknown kid":          sign(jwt.SigningMethodHS256, key.Secret, "k9", claims),
		"no kid":                  sign(jwt.SigningMethodHS256, key.Secret, nil, claims),
		"an empty kid":            sign(jwt.SigningMethodHS256, key.Secret, "", claims),
		"a path as kid":           sign(jwt.SigningMethodHS256, key.Secret, "../../dev/null", claims),
		"a query as kid":          sign(jwt.SigningMethodHS256, key.Secret, key.ID+"' OR '1'='1", claims),
		"a list as kid":           sign(jwt.SigningMethodHS256, key.Secret, []string{key.ID}, claims),
		"a key of its own":        header(`{"alg":"HS256","kid":"` + key.ID + `","jwk":{"kty":"oct","k":""}}`),
		"expired":                 ours(with("exp", now.Unix()-1)),
		"expires at no time":      ours(with("exp", nil)),
		"expires in words":        ours(with("exp", "tomorrow")),
		"expires before 1970":     ours(with("exp", -1)),
		"not yet valid":           ours(with("nbf", now.Unix()+60)),
		"a refresh token":         refresh,
		"of no use":               ours(with("use", "")),
		"of another use":          ours(with("use", "admin")),
		"of nobody":               ours(with("sub", "")),
		"of a negative user":      ours(with("uid", -1)),
		"of a user in words":      ours(with("uid", "1")),
		"of a stranger":           ours(with("uid", 77)),
		"of another version":      ours(with("ver", 2)),
		"another payload":         parts[0] + "." + segment(`{"use":"access","sub":"ada","uid":1,"ver":1,"role":"admin","fam":1,"gen":1,"iat":1,"exp":9999999999}`) + "." + parts[2],
		"an empty payload":        parts[0] + ".." + parts[2],
		"deep claims":             parts[0] + "." + segment(strings.Repeat("[", 2_000)) + "." + parts[2],
		"two tokens":              valid + "." + valid,
		"no signature":            parts[0] + "." + parts[1] + ".",
		"a cut signature":         valid[:len(valid)-1],
		"padded":                  valid + "=",
		"with a space":            valid[:20] + " " + valid[20:],
		"4 MiB":                   strings.Repeat("a", 4<<20),
		"dots":                    strings.Repeat(".", 4_000),
	} {
		if r := try(text); r.status != 401 || r.text("code") != fsm.CodeUnauthenticated && r.text("code") != codeTokenExpired {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
}

// TestRefreshTokensAreNotForged: the same for the body of a refresh and of a logout.
func TestRefreshTokensAreNotForged(t *testing.T) {
	a := newStateAPI(t)
	access := a.token
	a.token = ""
	for name, text := range map[string]string{
		"an access token": access, "alg none": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k2"}`)) + ".e30.", "line breaks": "\n\r\n.\n.", "NUL": `\u0000`,
	} {
		for _, path := range []string{"/v1/auth/refresh", "/v1/auth/logout"} {
			if r := a.do("POST", path, fmt.Sprintf(`{"refresh_token":%q}`, text)); r.status != 401 && r.status != 400 {
				t.Errorf("%s at %s: %d %s", name, path, r.status, r.body)
			}
		}
	}
}
