package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// forgetful is a cluster that carries out sends and deletes, remembers keys, and loses answers: script says what becomes of
// each request, in their order; behind its end all goes well.
type forgetful struct {
	mu     sync.Mutex
	script []fate
	full   bool              // the queue
	keys   map[string]string // to answers
	seen   []string          // keys of the sends that arrived, in their order
	stored int
	gone   bool // the message of the deletes
}

// fate is what becomes of one request.
type fate int

const (
	fine    fate = iota
	lost         // carried out, and the answer lost
	held         // the connection is lost, and the request with it
	refused      // not applied: no leader
	doubted      // carried out, and answered as unknown
)

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fate := fine
	if len(f.script) > 0 {
		fate, f.script = f.script[0], f.script[1:]
	}
	body, err := io.ReadAll(r.Body)
	var m message
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		says(400, `{"code":"invalid_json"}`)(w, r)
		return
	}
	switch fate {
	case held:
		panic(http.ErrAbortHandler)
	case refused:
		says(503, `{"code":"no_leader","outcome":"not_applied"}`)(w, r)
		return
	}
	status, answer := f.carryOut(m, r.Header.Get("Idempotency-Key"))
	switch fate {
	case lost:
		panic(http.ErrAbortHandler)
	case doubted:
		status, answer = 503, `{"code":"timeout","outcome":"unknown"}`
	}
	says(status, answer)(w, r)
}

func (f *forgetful) carryOut(m message, key string) (status int, answer string) {
	switch m.Action {
	case "DeleteMessage":
		if f.gone {
			return 404, `{"code":"message_not_found","outcome":"not_applied"}`
		}
		f.gone = true
		return 200, `{}`
	case "DeleteMessageBatch":
		if f.gone {
			return 200, `{"Successful":[],"Failed":[{"Id":"0","Code":"message_not_found"},{"Id":"1","Code":"receipt_superseded"}]}`
		}
		f.gone = true
		return 200, `{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":"receipt_superseded"}]}`
	}
	f.seen = append(f.seen, key)
	if answer, ok := f.keys[key]; ok && key != "" {
		return 200, answer
	}
	switch {
	case f.full && m.Action == "SendMessage":
		return 429, `{"code":"queue_full","outcome":"not_applied"}`
	case f.full:
		return 200, `{"Successful":[],"Failed":[{"Id":"0","Code":"queue_full"}]}`
	}
	f.stored++
	answer = sentAnswer
	if m.Action == "SendMessageBatch" {
		answer = `{"Successful":[{"Id":"0","MessageId":"m1"}],"Failed":[{"Id":"1","Code":"queue_full"}]}`
	}
	f.keys[key] = answer
	return 200, answer
}

// next says what becomes of the next requests, and whether the message of the deletes is gone.
func (f *forgetful) next(gone bool, script ...fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone, f.script = gone, script
}

// sends returns the keys of the sends that arrived, and how many messages they stored.
func (f *forgetful) sends() (keys []string, stored int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen), f.stored
}

// newForgetful returns the cluster and a client of two of its nodes.
func newForgetful(t *testing.T, script ...fate) (*forgetful, *Client) {
	t.Helper()
	f := &forgetful{script: script, keys: map[string]string{}}
	first, second := httptest.NewServer(f), httptest.NewServer(f)
	t.Cleanup(first.Close)
	t.Cleanup(second.Close)
	c, err := New(Config{URLs: []string{first.URL, second.URL}, Token: "token", Patience: 2 * firstPause})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return f, c
}

func TestALostAnswerIsAskedForAgain(t *testing.T) {
	for name, script := range map[string][]fate{
		"answer lost":               {lost},
		"request lost":              {held},
		"unknown":                   {doubted},
		"lost and refused":          {lost, refused},
		"refused, unknown and lost": {refused, doubted, lost},
	} {
		t.Run(name, func(t *testing.T) {
			f, c := newForgetful(t, script...)
			if id, err := c.Send(t.Context(), "q", Message{Body: "b"}); err != nil || id != "m1" {
				t.Errorf("send: %q, %v", id, err)
			}
			keys, stored := f.sends()
			if stored != 1 || keys[0] == "" || len(slices.Compact(keys)) != 1 {
				t.Errorf("%d messages stored, under the keys %q", stored, keys)
			}
			f.next(false, script...)
			results, err := c.SendBatch(t.Context(), "q", []Message{{Body: "b"}, {Body: "c"}})
			if err != nil || results[0].MessageID != "m1" || OutcomeOf(results[1].Err) != NotApplied {
				t.Errorf("batch: %+v, %v", results, err)
			}
			if all, stored := f.sends(); stored != 2 || len(slices.Compact(all)) != 2 {
				t.Errorf("%d messages stored by two calls, under the keys %q", stored, all)
			}
		})
	}
}

// TestWhatNobodyCanTellStaysUnknown: a refusal says nothing of an earlier try that may still be on its way.
func TestWhatNobodyCanTellStaysUnknown(t *testing.T) {
	tests := []struct {
		name   string
		full   bool
		script []fate
		want   Outcome
		status int
	}{
		{"every answer lost", false, slices.Repeat([]fate{lost}, 20), Unknown, 0},
		{"lost, and no leader since", false, append([]fate{lost}, slices.Repeat([]fate{refused}, 20)...), Unknown, 503},
		{"no leader", false, slices.Repeat([]fate{refused}, 20), NotApplied, 503},
		{"lost, and the queue is full", true, []fate{held}, Unknown, 429},
		{"the queue is full", true, []fate{refused}, NotApplied, 429},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, c := newForgetful(t, test.script...)
			f.full = test.full // nobody asks yet
			_, err := c.Send(t.Context(), "q", Message{Body: "b"})
			if e, ok := errors.AsType[*Error](err); !ok || e.Outcome != test.want || e.Status != test.status {
				t.Errorf("send: %#v, want status %d, outcome %s", err, test.status, test.want)
			}
			if says := strings.Contains(err.Error(), "unknown"); says != (test.want == Unknown) && test.status < 500 {
				t.Errorf("%v: says unknown: %t", err, says)
			}
			f.next(false, test.script...)
			results, err := c.SendBatch(t.Context(), "q", []Message{{Body: "b"}})
			if test.full && err == nil {
				err = results[0].Err
			}
			if OutcomeOf(err) != test.want {
				t.Errorf("batch: %v, want outcome %s", err, test.want)
			}
		})
	}
}

func TestDeletesAreRepeated(t *testing.T) {
	f, c := newForgetful(t, lost)
	if err := c.Delete(t.Context(), "q", "h"); err != nil {
		t.Errorf("a delete whose answer was lost: %v", err)
	}
	f.next(true, refused)
	if err := c.Delete(t.Context(), "q", "h"); OutcomeOf(err) != NotApplied || err == nil {
		t.Errorf("a delete of what is gone: %v", err)
	}
	for again, script := range map[bool][]fate{false: {lost}, true: {}} {
		f.next(again, script...)
		results, err := c.DeleteBatch(t.Context(), "q", []string{"h", "i"})
		if err != nil || (results[0].Err != nil) != again || OutcomeOf(results[1].Err) != NotApplied || results[1].Err == nil {
			t.Errorf("a batch of which the first message is gone: %+v, %v", results, err)
		}
	}
}

// TestASupersededDeleteDidNothing: nor will an earlier try of it.
func TestASupersededDeleteDidNothing(t *testing.T) {
	silent := newFakeNode(t, hangsUp())
	superseded := newFakeNode(t, says(404, `{"code":"receipt_superseded","outcome":"not_applied"}`))
	err := newTestClient(t, silent.URL, superseded.URL).Delete(t.Context(), "q", "h")
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeReceiptSuperseded || e.Outcome != NotApplied {
		t.Errorf("delete: %v, want it refused", err)
	}
	missing := newFakeNode(t, says(404, `{"code":"queue_not_found","outcome":"not_applied"}`))
	if err := newTestClient(t, silent.URL, missing.URL).Delete(t.Context(), "q", "h"); OutcomeOf(err) != Unknown {
		t.Errorf("a delete in a queue that is gone meanwhile: %v, want outcome unknown", err)
	}
}

func TestTheCallersKey(t *testing.T) {
	f, c := newForgetful(t)
	for range 2 {
		if _, err := c.Send(t.Context(), "q", Message{Body: "b"}, IdempotencyKey("order-17")); err != nil {
			t.Error(err)
		}
		if _, err := c.SendBatch(t.Context(), "q", []Message{{Body: "b"}}, IdempotencyKey("orders-17-18")); err != nil {
			t.Error(err)
		}
	}
	keys, stored := f.sends()
	if want := "order-17 orders-17-18 order-17 orders-17-18"; strings.Join(keys, " ") != want || stored != 2 {
		t.Errorf("%d stored under the keys %q, want 2 under %s", stored, keys, want)
	}
	for _, key := range []string{"a b", "a\n", "é", "\x7f"} {
		if _, err := c.Send(t.Context(), "q", Message{Body: "b"}, IdempotencyKey(key)); err == nil || OutcomeOf(err) != NotApplied {
			t.Errorf("key %q: %v", key, err)
		}
		if _, err := c.SendBatch(t.Context(), "q", []Message{{Body: "b"}}, IdempotencyKey(key)); err == nil || OutcomeOf(err) != NotApplied {
			t.Errorf("key %q: %v", key, err)
		}
	}
	if _, err := c.Send(t.Context(), "q", Message{Body: "b"}, IdempotencyKey("")); err != nil {
		t.Errorf("without a key of the caller's: %v", err)
	}
	if keys, _ := f.sends(); len(keys) != 5 || keys[4] == "" {
		t.Errorf("the keys were %q, want those that can be sent and a fifth", keys)
	}
}

func TestASendWithoutAKeyIsMadeOnce(t *testing.T) {
	f, c := newForgetful(t, refused, lost)
	if _, err := c.Send(t.Context(), "q", Message{Body: "b"}, IdempotencyKey("k"), WithoutIdempotencyKey()); OutcomeOf(err) != Unknown {
		t.Errorf("a send whose answer was lost: %v, want outcome unknown", err)
	}
	f.next(false, doubted)
	if _, err := c.SendBatch(t.Context(), "q", []Message{{Body: "b"}}, WithoutIdempotencyKey()); OutcomeOf(err) != Unknown {
		t.Errorf("a batch of unknown outcome: %v, want outcome unknown", err)
	}
	if keys, stored := f.sends(); stored != 2 || strings.Join(keys, "") != "" {
		t.Errorf("%d stored, under the keys %q, want 2 without keys", stored, keys)
	}
}

// TestPatienceEndsBeforeTheKeyIsForgotten: then a further try could be a second send.
func TestPatienceEndsBeforeTheKeyIsForgotten(t *testing.T) {
	const memory = 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		doubt := time.Now().Add(3 * time.Minute) // until then there is no leader
		answer := func(w http.ResponseWriter, r *http.Request) {
			if last = time.Now(); last.Before(doubt) {
				says(503, `{"code":"no_leader","outcome":"not_applied"}`)(w, r)
				return
			}
			says(503, `{"code":"timeout","outcome":"unknown"}`)(w, r)
		}
		c, err := New(Config{URLs: []string{"http://a:1"}, APIKey: "key", Patience: time.Hour, Transport: handlerTransport{http.HandlerFunc(answer)}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Send(t.Context(), "q", Message{Body: "b"})
		if OutcomeOf(err) != Unknown {
			t.Errorf("send: %v, want outcome unknown", err)
		}
		if tried := last.Sub(doubt); tried < memory/2 || tried > memory*9/10 {
			t.Errorf("the last try began %s after the first one of unknown outcome, want less than %s", tried, memory)
		}
	})
}

// TestALostConnectionIsUnknownThoughTheNextIsRefused: net/http must not send again by itself what has a key, and then tell of
// its second try alone.
func TestALostConnectionIsUnknownThoughTheNextIsRefused(t *testing.T) {
	var requests atomic.Int64
	var n *httptest.Server
	n = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			says(200, sentAnswer)(w, r)
			return
		}
		if err := n.Listener.Close(); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	}))
	defer n.Close()
	c := newTestClient(t, n.URL)
	if _, err := c.Send(t.Context(), "q", Message{Body: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), "q", Message{Body: "b"}); err == nil || OutcomeOf(err) != Unknown {
		t.Errorf("a send to a node that dies with it: %v, want outcome unknown", err)
	}
	if requests.Load() != 2 {
		t.Errorf("%d requests arrived, want 2", requests.Load())
	}
}
