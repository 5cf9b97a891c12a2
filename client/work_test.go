package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// handlerTransport answers requests without a network, so that virtual time passes while they wait.
type handlerTransport struct{ http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// fakeMessage is ready from a time on; a handle is good for the last lease only.
type fakeMessage struct {
	id      string
	ready   time.Time
	count   int
	handle  string
	deleted bool
}

// fakeQueue is a queue in virtual time behind the message Actions.
type fakeQueue struct {
	mu       sync.Mutex
	messages []*fakeMessage
	actions  []string // in their order, "ReceiveMessage+2" with two deletes
	fail     func(action string) (status int, body string)
}

func (q *fakeQueue) add(ids ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		q.messages = append(q.messages, &fakeMessage{id: id, ready: time.Now()})
	}
}

// left returns the messages that were not deleted, with how often they were received.
func (q *fakeQueue) left() (left []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		if !m.deleted {
			left = append(left, fmt.Sprintf("%s:%d", m.id, m.count))
		}
	}
	return left
}

func (q *fakeQueue) did(action string) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.actions {
		if a == action {
			n++
		}
	}
	return n
}

func (q *fakeQueue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in message
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name := in.Action
	if n := len(in.DeleteReceiptHandles) + len(in.Entries); n > 0 {
		name += "+" + strconv.Itoa(n)
	}
	q.mu.Lock()
	q.actions = append(q.actions, name)
	fail := q.fail
	q.mu.Unlock()
	if fail != nil {
		if status, text := fail(in.Action); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text) // the recorder does not fail
			return
		}
	}
	answer, status := q.act(r.Context(), &in)
	b, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	w.WriteHeader(status)
	_, _ = w.Write(b) // the recorder does not fail
}

func (q *fakeQueue) act(ctx context.Context, in *message) (any, int) {
	switch in.Action {
	case "ReceiveMessage":
		return q.receive(ctx, in), http.StatusOK
	case "ChangeMessageVisibility":
		q.mu.Lock()
		defer q.mu.Unlock()
		m := q.leased(in.ReceiptHandle)
		if m == nil {
			return errorBody{Code: CodeReceiptSuperseded, Outcome: string(NotApplied)}, http.StatusNotFound
		}
		m.ready = time.Now().Add(time.Duration(*in.VisibilityTimeout) * time.Second)
		return map[string]string{"message": "ok"}, http.StatusOK
	case "DeleteMessageBatch":
		var out batchAnswer
		for _, e := range in.Entries {
			q.delete(e.ReceiptHandle)
			out.Successful = append(out.Successful, struct {
				ID        string `json:"Id"`
				MessageID string `json:"MessageId"`
			}{ID: e.ID})
		}
		return out, http.StatusOK
	}
	panic("unexpected action " + in.Action)
}

func (q *fakeQueue) leased(handle string) *fakeMessage {
	i := slices.IndexFunc(q.messages, func(m *fakeMessage) bool { return m.handle == handle && !m.deleted })
	if i < 0 {
		return nil
	}
	return q.messages[i]
}

func (q *fakeQueue) delete(handle string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.leased(handle)
	if m == nil {
		return false
	}
	m.deleted = true
	return true
}

// receive waits in steps of virtual time.
func (q *fakeQueue) receive(ctx context.Context, in *message) any {
	var out struct {
		Messages      []Delivery     `json:"Messages"`
		DeleteResults []deleteResult `json:"DeleteResults"`
	}
	for _, h := range in.DeleteReceiptHandles {
		out.DeleteResults = append(out.DeleteResults, deleteResult{ReceiptHandle: h, Deleted: q.delete(h), Code: CodeMessageNotFound})
	}
	for end := time.Now().Add(time.Duration(in.WaitTimeSeconds) * time.Second); ; {
		q.mu.Lock()
		for _, m := range q.messages {
			if m.deleted || m.ready.After(time.Now()) || len(out.Messages) == in.MaxNumberOfMessages {
				continue
			}
			m.count++
			m.handle = fmt.Sprintf("%s/%d", m.id, m.count)
			m.ready = time.Now().Add(time.Duration(*in.VisibilityTimeout) * time.Second)
			out.Messages = append(out.Messages, Delivery{MessageID: m.id, ReceiptHandle: m.handle,
				SystemAttributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.count)}})
		}
		q.mu.Unlock()
		if len(out.Messages) > 0 || !time.Now().Before(end) || !sleep(ctx, 10*time.Millisecond) {
			return out
		}
	}
}

// workOn runs a worker on a fake queue in virtual time until the check returns, then stops it.
func workOn(t *testing.T, q *fakeQueue, o WorkerOptions, job func(context.Context, Delivery) error, check func()) error {
	t.Helper()
	c, err := New(Config{URLs: []string{"http://fake:1"}, APIKey: "key", Transport: handlerTransport{q}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	result := make(chan error, 1)
	go func() { result <- c.Work(ctx, "q", o, job) }()
	check()
	stop()
	return <-result
}

func succeed(context.Context, Delivery) error { return nil }

func TestDeletesOfFinishedJobsRideOnTheNextReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		q.add("a", "b", "c")
		err := workOn(t, q, WorkerOptions{}, succeed, func() { time.Sleep(5 * time.Second) })
		if err != nil || len(q.left()) != 0 {
			t.Fatalf("error %v, left %v", err, q.left())
		}
		// The last receive is given up in the middle of its wait, so that its delete is made once more.
		want := []string{"ReceiveMessage", "ReceiveMessage+1", "ReceiveMessage+1", "ReceiveMessage+1", "DeleteMessageBatch+1"}
		if !slices.Equal(q.actions, want) {
			t.Errorf("requests %v, want %v", q.actions, want)
		}
	})
}

func TestAFinishedJobIsDeletedAlthoughAReceiveWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		q.add("a")
		job := func(context.Context, Delivery) error { time.Sleep(time.Second); return nil }
		err := workOn(t, q, WorkerOptions{Concurrency: 2}, job, func() {
			time.Sleep(time.Second + 2*flushDelay) // the second receive waits for 20 s
			if left := q.left(); len(left) != 0 {
				t.Errorf("%v is not deleted while a receive waits", left)
			}
		})
		if err != nil || q.did("DeleteMessageBatch+1") != 1 {
			t.Errorf("error %v, requests %v", err, q.actions)
		}
	})
}

func TestALongJobKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		q.add("a")
		var runs atomic.Int64
		job := func(ctx context.Context, _ Delivery) error {
			runs.Add(1)
			time.Sleep(5 * time.Minute)
			return context.Cause(ctx)
		}
		err := workOn(t, q, WorkerOptions{Concurrency: 2, VisibilityTimeout: 20 * time.Second}, job, func() { time.Sleep(6 * time.Minute) })
		if err != nil || runs.Load() != 1 || len(q.left()) != 0 {
			t.Errorf("error %v, %d runs, left %v", err, runs.Load(), q.left())
		}
		if n := q.did("ChangeMessageVisibility"); n < 28 || n > 30 { // every 10 s for 5 minutes
			t.Errorf("the lease was extended %d times, want about 29", n)
		}
	})
}

func TestALostLeaseEndsTheJob(t *testing.T) {
	answers := map[string]func(string) (int, string){
		"somebody else has it": func(string) (int, string) {
			return 404, `{"code":"receipt_superseded","outcome":"not_applied"}`
		},
		"no answers": func(string) (int, string) { return 503, `{"code":"no_leader","outcome":"not_applied"}` },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &fakeQueue{}
				q.add("a")
				q.fail = func(action string) (int, string) {
					if action == "ChangeMessageVisibility" {
						return answer(action)
					}
					return 0, ""
				}
				started := time.Now()
				var cause error
				var ended time.Duration
				job := func(ctx context.Context, _ Delivery) error {
					if cause == nil {
						<-ctx.Done()
						cause, ended = context.Cause(ctx), time.Since(started)
					}
					return cause
				}
				err := workOn(t, q, WorkerOptions{VisibilityTimeout: 20 * time.Second, Limit: 1}, job, func() { time.Sleep(time.Minute) })
				if err != nil || !errors.Is(cause, ErrLeaseLost) || ended > 20*time.Second {
					t.Errorf("error %v; the job's context ended after %s with %v", err, ended, cause)
				}
				if left := q.left(); len(left) != 1 {
					t.Errorf("left %v: a message whose job failed was deleted", left)
				}
			})
		})
	}
}

func TestAFailedJobComesBackLaterEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		q.add("a")
		start := time.Now()
		var runs []time.Duration
		var told atomic.Int64
		job := func(_ context.Context, d Delivery) error {
			if runs = append(runs, time.Since(start).Truncate(time.Second)); d.ReceiveCount() < 4 {
				return errors.New("not yet")
			}
			return nil
		}
		o := WorkerOptions{OnError: func(error) { told.Add(1) }}
		err := workOn(t, q, o, job, func() { time.Sleep(time.Minute) })
		if want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}; err != nil || !slices.Equal(runs, want) {
			t.Errorf("error %v, runs at %v, want %v", err, runs, want)
		}
		if told.Load() != 3 || len(q.left()) != 0 {
			t.Errorf("OnError was called %d times, want 3; left %v", told.Load(), q.left())
		}
	})
}

func TestAStoppedWorkerFinishesItsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		q.add("short", "long", "never begun")
		job := func(ctx context.Context, d Delivery) error {
			if d.MessageID == "short" {
				time.Sleep(10 * time.Second)
				return context.Cause(ctx)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}
		var stopped time.Time
		err := workOn(t, q, WorkerOptions{Concurrency: 2, DrainTime: 15 * time.Second}, job, func() {
			time.Sleep(time.Second)
			stopped = time.Now()
		})
		if took := time.Since(stopped).Truncate(time.Second); err != nil || took != 15*time.Second {
			t.Errorf("ended with %v after %s, want after DrainTime", err, took)
		}
		if want := []string{"long:1", "never begun:0"}; !slices.Equal(q.left(), want) {
			t.Errorf("left %v, want %v", q.left(), want)
		}
		for _, m := range q.messages {
			if !m.deleted && m.ready.After(time.Now()) {
				t.Errorf("%s is not ready at once", m.id)
			}
		}
	})
}

func TestWorkGoesOnAfterWhatPassesAndEndsAfterWhatStays(t *testing.T) {
	tests := []struct {
		status int
		body   string
		ends   bool
	}{
		{503, `{"code":"no_leader","outcome":"not_applied"}`, false},
		{503, `{"code":"timeout","outcome":"unknown"}`, false},
		{429, `{"code":"busy","outcome":"not_applied"}`, false},
		{409, `{"code":"limit_reached","outcome":"not_applied"}`, false},
		{500, `{"code":"internal"}`, false},
		{404, `{"code":"queue_not_found"}`, true},
		{401, `{"code":"unauthenticated"}`, true},
		{403, `{"code":"forbidden"}`, true},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.status, test.body), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &fakeQueue{}
				q.add("a", "b")
				failures := 0
				q.fail = func(action string) (int, string) { // the second receive, which carries a delete
					if failures++; failures == 2 || test.ends && failures > 2 {
						return test.status, test.body
					}
					return 0, ""
				}
				err := workOn(t, q, WorkerOptions{}, succeed, func() { time.Sleep(time.Minute) })
				e, ok := errors.AsType[*Error](err)
				if test.ends != (err != nil) || test.ends && (!ok || e.Status != test.status) {
					t.Errorf("Work returned %v, want an error: %t", err, test.ends)
				}
				if !test.ends && len(q.left()) != 0 {
					t.Errorf("left %v: a delete that failed was not repeated", q.left())
				}
			})
		})
	}
}

func TestALimitEndsTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		q.add("a", "b", "c", "d")
		c, err := New(Config{URLs: []string{"http://fake:1"}, APIKey: "key", Transport: handlerTransport{q}})
		if err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int64
		count := func(context.Context, Delivery) error { runs.Add(1); return nil }
		if err := c.Work(t.Context(), "q", WorkerOptions{Limit: 3, Concurrency: 2}, count); err != nil || runs.Load() != 3 {
			t.Errorf("error %v after %d messages, want 3", err, runs.Load())
		}
		if err := c.Work(t.Context(), "q", WorkerOptions{Limit: 3}, count); err != nil || runs.Load() != 4 || len(q.left()) != 0 {
			t.Errorf("error %v after %d messages, left %v, want all 4 and an end", err, runs.Load(), q.left())
		}
	})
}
