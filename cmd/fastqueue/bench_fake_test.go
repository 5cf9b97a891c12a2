package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
)

// fakeQueue is a server that keeps one queue in memory and can be told to break its promises.
type fakeQueue struct {
	mu      sync.Mutex
	ready   []string
	leased  map[string]string // receipt handle to body
	handles int
	stored  int // messages stored so far

	lose, duplicate, swap int // the number of the message that suffers; 0: none
	refuseEvery           int // every n-th send is answered 503 not_applied
	sends                 int
}

func newFakeQueue(t *testing.T, q *fakeQueue) string {
	t.Helper()
	q.leased = map[string]string{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/auth/login", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"access_token":"t","refresh_token":"r"}`)
	})
	var name string
	mux.HandleFunc("POST /v1/queues", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Name string `json:"name"`
		}
		if err := json.UnmarshalRead(r.Body, &in); err != nil {
			t.Error(err)
		}
		name = in.Name
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{}`)
	})
	mux.HandleFunc("GET /v1/queues", func(w http.ResponseWriter, _ *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		fmt.Fprintf(w, `{"queues":[{"name":%q,"message_count":%d}]}`, name, len(q.ready)+len(q.leased))
	})
	mux.HandleFunc("DELETE /v1/queues/{name}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /v1/queue/{name}", q.act)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func (q *fakeQueue) act(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Action, MessageBody, ReceiptHandle string
		MaxNumberOfMessages                int
		Entries                            []struct {
			ID            string `json:"Id"`
			MessageBody   string
			ReceiptHandle string
		}
	}
	if err := json.UnmarshalRead(r.Body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, fmt.Sprintf(`{"Id":%q,"MessageId":"m"}`, e.ID))
		if in.Action == "SendMessageBatch" {
			q.store(e.MessageBody)
		} else {
			delete(q.leased, e.ReceiptHandle)
		}
	}
	switch in.Action {
	case "SendMessage":
		q.sends++
		if q.refuseEvery > 0 && q.sends%q.refuseEvery == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"detail":"no leader","code":"no_leader","outcome":"not_applied"}`)
			return
		}
		q.store(in.MessageBody)
		fmt.Fprint(w, `{"MessageId":"m","status":"sent"}`)
	case "ReceiveMessage":
		fmt.Fprintf(w, `{"Messages":[%s]}`, q.take(in.MaxNumberOfMessages))
	case "DeleteMessage":
		delete(q.leased, in.ReceiptHandle)
		fmt.Fprint(w, `{"message":"Message deleted successfully"}`)
	default:
		fmt.Fprintf(w, `{"Successful":[%s],"Failed":[]}`, strings.Join(ids, ","))
	}
}

func (q *fakeQueue) store(body string) {
	q.stored++
	switch q.stored {
	case q.lose:
		return
	case q.duplicate:
		q.ready = append(q.ready, body)
	}
	q.ready = append(q.ready, body)
	if last := len(q.ready) - 1; q.stored == q.swap && last > 0 {
		q.ready[last], q.ready[last-1] = q.ready[last-1], q.ready[last]
	}
}

func (q *fakeQueue) take(n int) string {
	var out []string
	for range min(n, len(q.ready)) {
		q.handles++
		handle := fmt.Sprintf("h%d", q.handles)
		q.leased[handle] = q.ready[0]
		out = append(out, fmt.Sprintf(`{"MessageId":"m","Body":%q,"Attributes":{},"ReceiptHandle":%q}`, q.ready[0], handle))
		q.ready = q.ready[1:]
	}
	return strings.Join(out, ",")
}
