package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// joinPort serves join with the keys of tokens.
func joinPort(t *testing.T, admit func(*clusterpb.JoinRequest) *clusterpb.JoinResponse, tokens ...string) *Port {
	t.Helper()
	var keys []*fsmpb.JoinKey
	for _, token := range tokens {
		keys = append(keys, must(JoinKey(token))(t))
	}
	return listen(t, Options{
		JoinKeys: func() []*fsmpb.JoinKey { return keys },
		Admit: func(_ context.Context, remote net.Addr, req *clusterpb.JoinRequest) *clusterpb.JoinResponse {
			return admit(req)
		},
	})
}

func welcome(*clusterpb.JoinRequest) *clusterpb.JoinResponse {
	return &clusterpb.JoinResponse{ClusterId: testCluster}
}

func tokenKey(t *testing.T, token string) []byte {
	t.Helper()
	return must(JoinKey(token))(t).Key
}

func TestJoinWithTheRightToken(t *testing.T) {
	old, token := NewJoinToken(), NewJoinToken()
	var asked *clusterpb.JoinRequest
	p := joinPort(t, func(req *clusterpb.JoinRequest) *clusterpb.JoinResponse {
		asked = req
		return welcome(req)
	}, old, token)
	req := &clusterpb.JoinRequest{Member: &fsmpb.Member{Id: "n2"}, PublicKey: []byte("key")}
	resp, err := Join(contextFor(t), p.Addr().String(), tokenKey(t, token), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ClusterId != testCluster {
		t.Errorf("the answer is %v", resp)
	}
	if !proto.Equal(asked, req) {
		t.Errorf("the member was asked %v, want %v", asked, req)
	}
}

func TestJoinWithAWrongToken(t *testing.T) {
	p := joinPort(t, func(*clusterpb.JoinRequest) *clusterpb.JoinResponse {
		t.Error("a node with a wrong token was admitted")
		return nil
	}, NewJoinToken())
	_, err := Join(contextFor(t), p.Addr().String(), tokenKey(t, NewJoinToken()), &clusterpb.JoinRequest{}, nil)
	if !errors.Is(err, ErrWrongToken) {
		t.Errorf("joining with another token: %v", err)
	}
	if strings.Contains(err.Error(), testCluster) {
		t.Errorf("the refusal names the cluster: %v", err)
	}
}

func TestJoinRefusedByTheMember(t *testing.T) {
	token := NewJoinToken()
	p := joinPort(t, func(*clusterpb.JoinRequest) *clusterpb.JoinResponse {
		return &clusterpb.JoinResponse{Refusal: "the name n2 is taken"}
	}, token)
	_, err := Join(contextFor(t), p.Addr().String(), tokenKey(t, token), &clusterpb.JoinRequest{}, nil)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Reason != "the name n2 is taken" {
		t.Errorf("a refused join: %v", err)
	}
}

func TestJoinThroughWrongAddresses(t *testing.T) {
	key := tokenKey(t, NewJoinToken())
	closed := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Join(contextFor(t), closed.Addr().String(), key, &clusterpb.JoinRequest{}, nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("joining through a closed port: %v", err)
	}
	web := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer closeQuietly(web)
	go func() {
		c, err := web.Accept()
		if err != nil {
			return
		}
		defer closeQuietly(c)
		if _, err := io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); err != nil {
			t.Error(err)
		}
	}()
	if _, err := Join(contextFor(t), web.Addr().String(), key, &clusterpb.JoinRequest{}, nil); !errors.Is(err, ErrNotFastQueue) {
		t.Errorf("joining through a web server: %v", err)
	}
	if _, err := Join(contextFor(t), listen(t, Options{}).Addr().String(), key, &clusterpb.JoinRequest{}, nil); err == nil {
		t.Error("joined through a node that does not serve join")
	}
}

// TestJoinThroughAManInTheMiddle bridges two TLS sessions: the messages pass unchanged, and the proofs must not.
func TestJoinThroughAManInTheMiddle(t *testing.T) {
	token := NewJoinToken()
	p := joinPort(t, func(*clusterpb.JoinRequest) *clusterpb.JoinResponse {
		t.Error("a bridged join was admitted")
		return nil
	}, token)
	certificate := must(ephemeralCertificate())(t)
	middle := must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}}))(t)
	defer closeQuietly(middle)
	go func() {
		in, err := middle.Accept()
		if err != nil {
			return
		}
		defer closeQuietly(in)
		out, err := tls.Dial("tcp", p.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			if _, err := io.Copy(out, in); err != nil {
				closeQuietly(out)
			}
		}()
		if _, err := io.Copy(in, out); err != nil {
			closeQuietly(in)
		}
	}()
	_, err := Join(contextFor(t), middle.Addr().String(), tokenKey(t, token), &clusterpb.JoinRequest{}, nil)
	if !errors.Is(err, ErrWrongToken) {
		t.Errorf("a bridged join: %v", err)
	}
}

// TestJoinBelievesNobodyWithoutTheToken answers a join as an impostor: with a refusal of its own, an unproved welcome,
// and the joiner's own proof sent back.
func TestJoinBelievesNobodyWithoutTheToken(t *testing.T) {
	key := tokenKey(t, NewJoinToken())
	for name, forge := range map[string]func(proof []byte) *clusterpb.JoinResponse{
		"refusal":   func([]byte) *clusterpb.JoinResponse { return &clusterpb.JoinResponse{Refusal: "send me your password"} },
		"welcome":   func([]byte) *clusterpb.JoinResponse { return welcome(nil) },
		"reflected": func(proof []byte) *clusterpb.JoinResponse { return &clusterpb.JoinResponse{Proof: proof} },
	} {
		t.Run(name, func(t *testing.T) {
			certificate := must(ephemeralCertificate())(t)
			l := must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}}))(t)
			defer closeQuietly(l)
			go impostor(t, l, forge)
			resp, err := Join(contextFor(t), l.Addr().String(), key, &clusterpb.JoinRequest{}, nil)
			if resp != nil || !errors.Is(err, ErrWrongToken) || strings.Contains(err.Error(), "password") {
				t.Errorf("an impostor was believed: %v, %v", resp, err)
			}
		})
	}
}

func impostor(t *testing.T, l net.Listener, forge func([]byte) *clusterpb.JoinResponse) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer closeQuietly(c)
	if _, err := readPreamble(c); err != nil {
		t.Error(err)
		return
	}
	if err := writeAnswer(c, nil); err != nil {
		t.Error(err)
		return
	}
	raw, err := readMessage(c, maxJoinRequest)
	if err != nil {
		t.Error(err)
		return
	}
	req, _, err := decodeJoinRequest(raw)
	if err != nil {
		t.Error(err)
		return
	}
	b, err := proto.Marshal(forge(req.Proof))
	if err != nil {
		t.Error(err)
		return
	}
	if err := writeMessage(c, b, maxJoinResponse); err != nil {
		t.Error(err)
	}
}

func TestJoinLimits(t *testing.T) {
	token := NewJoinToken()
	p := joinPort(t, welcome, token)
	hello := must(preamble{service: serviceJoin}.encode())(t)
	var slots []*tls.Conn
	for range maxJoins {
		conn, err := rawDial(t, p, nil, hello)
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, conn)
	}
	_, err := Join(contextFor(t), p.Addr().String(), tokenKey(t, token), &clusterpb.JoinRequest{}, nil)
	if !errors.Is(err, ErrJoinBusy) {
		t.Errorf("the eleventh join: %v", err)
	}
	// Too long a message ends the connection, and its place is free again.
	if _, err := slots[0].Write([]byte{0, 0, 0x10, 0x01}); err != nil {
		t.Fatal(err)
	}
	if _, err := slots[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a message of 4097 bytes was answered: %v", err)
	}
	eventually(t, "a place is free", func() bool {
		_, err := Join(contextFor(t), p.Addr().String(), tokenKey(t, token), &clusterpb.JoinRequest{}, nil)
		return err == nil
	})
	long := &clusterpb.JoinRequest{PublicKey: make([]byte, maxJoinRequest)}
	if _, err := Join(contextFor(t), p.Addr().String(), tokenKey(t, token), long, nil); err == nil {
		t.Error("a request of more than 4 KiB was sent")
	}
}

func TestJoinConnectionsEndByThemselves(t *testing.T) {
	p := listen(t, Options{
		JoinKeys:    func() []*fsmpb.JoinKey { return nil },
		Admit:       func(context.Context, net.Addr, *clusterpb.JoinRequest) *clusterpb.JoinResponse { return nil },
		joinTimeout: 200 * time.Millisecond,
	})
	conn, err := rawDial(t, p, nil, must(preamble{service: serviceJoin}.encode())(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a silent join ended with %v, want the end of the connection", err)
	}
}

// recorder keeps the plaintext that goes to a connection's TLS layer, seen by terminating TLS in the test.
type recorder struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Write(b)
}

func (r *recorder) contains(s string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Contains(r.all.Bytes(), []byte(s))
}

// TestTokenIsNeverSent looks at every byte inside TLS, where an impostor would look.
func TestTokenIsNeverSent(t *testing.T) {
	token := NewJoinToken()
	key := tokenKey(t, token)
	certificate := must(ephemeralCertificate())(t)
	l := must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}}))(t)
	defer closeQuietly(l)
	seen := new(recorder)
	served := make(chan struct{})
	go func() {
		defer close(served)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer closeQuietly(c)
		if err := writeAnswer(c, nil); err != nil {
			t.Error(err)
			return
		}
		b, err := proto.Marshal(&clusterpb.JoinResponse{Refusal: "no"})
		if err != nil {
			t.Error(err)
			return
		}
		if err := writeMessage(c, b, maxJoinResponse); err != nil {
			t.Error(err)
			return
		}
		if _, err := io.Copy(seen, c); err != nil {
			t.Logf("the joiner's connection ended with %v", err)
		}
	}()
	req := &clusterpb.JoinRequest{Member: &fsmpb.Member{Id: "n2-visible"}}
	if _, err := Join(contextFor(t), l.Addr().String(), key, req, nil); err == nil {
		t.Error("joined through an impostor")
	}
	receive(t, "the joiner has sent everything", served)
	if !seen.contains("n2-visible") {
		t.Fatal("the request was not recorded")
	}
	secret := strings.TrimPrefix(token, tokenPrefix)
	if seen.contains(secret) || seen.contains(string(key)) {
		t.Error("the token or its key was sent")
	}
}

func TestJoinKey(t *testing.T) {
	token := NewJoinToken()
	if !strings.HasPrefix(token, tokenPrefix) || token == NewJoinToken() {
		t.Errorf("a new token is %q", token)
	}
	a, b := must(JoinKey(token))(t), must(JoinKey(" "+token+"\n"))(t)
	if !proto.Equal(a, b) || len(a.Key) != joinKeyBytes || a.Id == "" {
		t.Errorf("one token gave %v and %v", a, b)
	}
	if _, err := JoinKey(strings.Repeat("a", minTokenLength)); err != nil {
		t.Errorf("a token of 22 characters: %v", err)
	}
	for _, short := range []string{"", "secret", strings.Repeat("a", minTokenLength-1), tokenPrefix + strings.Repeat("a", minTokenLength-1)} {
		if _, err := JoinKey(short); err == nil {
			t.Errorf("the token %q was taken", short)
		}
	}
}

func FuzzJoinMessages(f *testing.F) {
	key := bytes.Repeat([]byte{7}, joinKeyBytes)
	value := make([]byte, exporterBytes)
	req, err := sealed(&clusterpb.JoinRequest{ClusterId: "c"}, requestProof, key, roleJoiner, value)
	if err != nil {
		f.Fatal(err)
	}
	resp, err := sealed(&clusterpb.JoinResponse{ClusterId: "c"}, responseProof, key, roleMember, value)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(req)
	f.Add(resp)
	f.Add([]byte{0, 0, 0, 1, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, body, err := decodeJoinRequest(b); err == nil {
			checkBody(t, b, body, r.Proof)
		}
		if r, body, err := decodeJoinResponse(b); err == nil {
			checkBody(t, b, body, r.Proof)
		}
		if m, err := readMessage(bytes.NewReader(b), maxJoinRequest); err == nil && len(m) > maxJoinRequest {
			t.Errorf("a message of %d bytes was read", len(m))
		}
	})
}

func checkBody(t *testing.T, raw, body, proof []byte) {
	t.Helper()
	if len(body)+len(proof) > len(raw) {
		t.Errorf("%d bytes hold a body of %d and a proof of %d", len(raw), len(body), len(proof))
	}
}
