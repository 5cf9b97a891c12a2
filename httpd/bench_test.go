package httpd

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// benchNode answers at once: what is measured is the HTTP layer alone, without its connection.
type benchNode struct {
	*fakeNode
	result *fsmpb.Result
}

func (n benchNode) Propose(context.Context, *fsmpb.Command) (*fsmpb.Result, error) {
	return n.result, nil
}

// discard is a ResponseWriter without a client.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkSendMessage is the whole path of one send of 256 bytes through router, token, decoder, handler and answer.
func BenchmarkSendMessage(b *testing.B) {
	a := newAPI(b)
	result := &fsmpb.Result{Value: &fsmpb.Result_Send{Send: &fsmpb.SendResult{Queue: 7, Messages: []*fsmpb.SentMessage{{Sequence: 9}}}}}
	s := New(Config{}, benchNode{a.node, result})
	body := []byte(`{"Action":"SendMessage","MessageBody":"` + strings.Repeat("x", 256) + `","MessageAttributes":{"kind":"invoice"}}`)
	header := http.Header{"Authorization": {"Bearer " + a.token}, "Content-Type": {"application/json"}}
	path := &url.URL{Path: "/v1/queue/orders"}
	b.ReportAllocs()
	for b.Loop() {
		r := &http.Request{Method: "POST", URL: path, Header: header, ContentLength: int64(len(body)), Body: nopCloser{bytes.NewReader(body)}}
		w := &discard{header: http.Header{}}
		s.Handler().ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
	}
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }
