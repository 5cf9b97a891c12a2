package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// pair opens the ports a and b; a calls b.
func pair(t testing.TB, caller Options, h Handler) (a, b *Port) {
	t.Helper()
	ca, d := newTestCA(t, testCluster), newDirectory()
	b = memberPort(t, ca, d, "b", Options{Handler: h})
	a = memberPort(t, ca, d, "a", caller)
	return a, b
}

func TestCallCarriesRequestAndResponse(t *testing.T) {
	type seen struct {
		sender    string
		timeoutMs int64
	}
	requests := make(chan seen, 1)
	a, _ := pair(t, Options{}, handlerFunc(func(_ context.Context, sender string, req *clusterpb.Request, respond func(*clusterpb.Response)) {
		requests <- seen{sender, req.TimeoutMs}
		respond(echoOf(req))
	}))
	req := propose("hello")
	resp, err := a.Call(contextFor(t), "b", req)
	if err != nil {
		t.Fatal(err)
	}
	if echoed(resp) != "hello" {
		t.Errorf("echoed %q", echoed(resp))
	}
	got := receive(t, "the handler runs", requests)
	if got.sender != "a" || got.timeoutMs <= 0 || got.timeoutMs > patience.Milliseconds() {
		t.Errorf("the handler saw %+v", got)
	}
	if req.Id != 0 || req.TimeoutMs != 0 {
		t.Errorf("the caller's request was changed: %v", req)
	}
}

func TestCallsShareFrames(t *testing.T) {
	const callers, each = 256, 40
	a, _ := pair(t, Options{}, handlerFunc(echo))
	ctx := contextFor(t)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				want := fmt.Sprintf("%d.%d", i, j)
				resp, err := a.Call(ctx, "b", propose(want))
				if err != nil || echoed(resp) != want {
					t.Errorf("call %s: %v, %v", want, resp, err)
					return
				}
			}
		})
	}
	wg.Wait()
	s := a.Stats()
	t.Logf("%d calls in %d frames", s.Calls, s.Frames)
	if s.Calls != callers*each {
		t.Errorf("%d calls were counted, made %d", s.Calls, callers*each)
	}
	if s.Frames >= s.Calls/2 {
		t.Errorf("%d calls needed %d frames", s.Calls, s.Frames)
	}
}

func TestResponsesInAnyOrder(t *testing.T) {
	var mu sync.Mutex
	var held []func()
	a, _ := pair(t, Options{}, handlerFunc(func(_ context.Context, _ string, req *clusterpb.Request, respond func(*clusterpb.Response)) {
		mu.Lock()
		defer mu.Unlock()
		held = append(held, func() { respond(echoOf(req)) })
		if len(held) == 3 {
			for i := range held {
				go held[len(held)-1-i]()
			}
		}
	}))
	var wg sync.WaitGroup
	ctx := contextFor(t)
	for i := range 3 {
		wg.Go(func() {
			want := fmt.Sprint(i)
			resp, err := a.Call(ctx, "b", propose(want))
			if err != nil || echoed(resp) != want {
				t.Errorf("call %s: %v, %v", want, resp, err)
			}
		})
	}
	wg.Wait()
}

func TestBrokenStreamMarksCallsAsSent(t *testing.T) {
	dialer := new(cutDialer)
	arrived := make(chan struct{}, 1)
	a, _ := pair(t, Options{Dial: dialer.dial}, handlerFunc(
		func(context.Context, string, *clusterpb.Request, func(*clusterpb.Response)) { arrived <- struct{}{} }))
	failed := make(chan error, 1)
	ctx := contextFor(t)
	go func() {
		_, err := a.Call(ctx, "b", propose("x"))
		failed <- err
	}()
	receive(t, "the request arrives", arrived)
	dialer.setBroken(errors.New("cable cut"))
	dialer.cut()
	var ce *CallError
	if err := receive(t, "the call ends", failed); !errors.As(err, &ce) || !ce.Sent || ce.Target != "b" {
		t.Errorf("a call whose stream broke: %v, want one that was sent", err)
	}
	_, err := a.Call(ctx, "b", propose("y"))
	if !errors.As(err, &ce) || ce.Sent {
		t.Errorf("a call while the member is down: %v, want one that was not sent", err)
	}
}

func TestCallsFailFastWhileDownAndRecover(t *testing.T) {
	dialer := new(cutDialer)
	dialer.setBroken(errors.New("cable cut"))
	a, _ := pair(t, Options{Dial: dialer.dial}, handlerFunc(echo))
	ctx := contextFor(t)
	const calls = 200
	for range calls {
		var ce *CallError
		if _, err := a.Call(ctx, "b", propose("x")); !errors.As(err, &ce) || ce.Sent || !strings.Contains(err.Error(), "cable cut") {
			t.Fatalf("a call while the member is down: %v", err)
		}
	}
	if n := dialer.attempts(); n > calls/4 {
		t.Errorf("%d dials for %d calls: there is no back-off", n, calls)
	}
	dialer.setBroken(nil)
	eventually(t, "calls work again", func() bool {
		_, err := a.Call(ctx, "b", propose("x"))
		return err == nil
	})
}

func TestCallEndsWithItsContext(t *testing.T) {
	a, _ := pair(t, Options{}, handlerFunc(func(context.Context, string, *clusterpb.Request, func(*clusterpb.Response)) {}))
	ctx, cancel := context.WithCancel(contextFor(t))
	cancel()
	var ce *CallError
	if _, err := a.Call(ctx, "b", propose("x")); !errors.As(err, &ce) || ce.Sent || !errors.Is(err, context.Canceled) {
		t.Errorf("a call with an ended context: %v", err)
	}
	ctx, cancel = context.WithTimeout(contextFor(t), 50*time.Millisecond)
	defer cancel()
	if _, err := a.Call(ctx, "b", propose("x")); !errors.As(err, &ce) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call without answer: %v", err)
	}
}

func TestCancelledReceive(t *testing.T) {
	type held struct {
		id      uint64
		respond func(*clusterpb.Response)
	}
	receives := make(chan held, 1)
	cancels := make(chan uint64, 1)
	late := make(chan *clusterpb.Response, 1)
	a, _ := pair(t, Options{Late: func(target string, resp *clusterpb.Response) { late <- resp }},
		handlerFunc(func(_ context.Context, _ string, req *clusterpb.Request, respond func(*clusterpb.Response)) {
			if id := req.GetCancel(); id != 0 {
				cancels <- id
				return
			}
			receives <- held{req.Id, respond}
		}))
	ctx, cancel := context.WithCancel(contextFor(t))
	failed := make(chan error, 1)
	go func() {
		_, err := a.Call(ctx, "b", &clusterpb.Request{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{WaitMs: 1}}})
		failed <- err
	}()
	h := receive(t, "the receive arrives", receives)
	cancel()
	var ce *CallError
	if err := receive(t, "the call ends", failed); !errors.As(err, &ce) || !ce.Sent || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled receive: %v", err)
	}
	if id := receive(t, "the cancel arrives", cancels); id != h.id {
		t.Errorf("the cancel names %d, the receive is %d", id, h.id)
	}
	h.respond(failure("late", "", false))
	if got := receive(t, "the late response is handed on", late); got.GetFailure().GetCode() != "late" {
		t.Errorf("the late response is %v", got)
	}
}

func TestQueuedBytesAreBounded(t *testing.T) {
	p := listen(t, Options{})
	l := newLink(p, "b")
	l.running = true // nobody writes
	big := item{bytes: make([]byte, maxMessage)}
	for i := range uint64(maxQueued / maxMessage) {
		big.id = i + 1
		if err := l.enqueue(big, newCall()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.enqueue(item{id: 99, bytes: []byte("x")}, newCall()); !errors.Is(err, ErrOverloaded) {
		t.Errorf("one byte beyond the limit: %v", err)
	}
	if batch := l.take(nil); len(batch) != 1 {
		t.Errorf("a frame of %d requests of 16 MiB", len(batch))
	}
}

func TestAbandonedCallIsNotSent(t *testing.T) {
	p := listen(t, Options{})
	l := newLink(p, "b")
	l.running = true
	for id := range uint64(3) {
		if err := l.enqueue(item{id: id + 1, bytes: []byte("x")}, newCall()); err != nil {
			t.Fatal(err)
		}
	}
	var ce *CallError
	if err := l.abandon(2, context.Canceled, true); !errors.As(err, &ce) || ce.Sent {
		t.Errorf("abandoning a queued call: %v", err)
	}
	batch := l.take(nil)
	if len(batch) != 2 || batch[0].id != 1 || batch[1].id != 3 {
		t.Errorf("the frame holds %v", batch)
	}
	if err := l.abandon(1, context.Canceled, false); !errors.As(err, &ce) || !ce.Sent {
		t.Errorf("abandoning a sent call: %v", err)
	}
}

func TestTooLargeMessages(t *testing.T) {
	a, _ := pair(t, Options{}, handlerFunc(func(_ context.Context, _ string, req *clusterpb.Request, respond func(*clusterpb.Response)) {
		respond(failure("big", strings.Repeat("x", maxMessage), false))
	}))
	var ce *CallError
	if _, err := a.Call(contextFor(t), "b", propose(strings.Repeat("x", maxMessage))); !errors.As(err, &ce) || ce.Sent {
		t.Errorf("a request of 16 MiB: %v", err)
	}
	resp, err := a.Call(contextFor(t), "b", propose(strings.Repeat("x", 2<<20)))
	if err != nil {
		t.Fatal(err)
	}
	if f := resp.GetFailure(); f.GetCode() != CodeTooLarge || !f.GetUnknown() {
		t.Errorf("a response of 16 MiB became %.100v", f)
	}
}

func TestHandledBytesAreBounded(t *testing.T) {
	var mu sync.Mutex
	var held []func()
	a, _ := pair(t, Options{}, handlerFunc(func(_ context.Context, _ string, req *clusterpb.Request, respond func(*clusterpb.Response)) {
		mu.Lock()
		defer mu.Unlock()
		held = append(held, func() { respond(failure("done", "", false)) })
	}))
	const size, calls = 12 << 20, 8 // 96 MiB
	codes := make(chan string, calls)
	ctx := contextFor(t)
	for range calls {
		go func() {
			resp, err := a.Call(ctx, "b", propose(strings.Repeat("x", size)))
			if err != nil {
				codes <- err.Error()
				return
			}
			codes <- resp.GetFailure().GetCode()
		}()
	}
	overloaded := 0
	for range calls - maxHandled/size {
		code := receive(t, "the calls beyond the limit end", codes)
		if code == CodeOverloaded || strings.Contains(code, ErrOverloaded.Error()) {
			overloaded++
		}
	}
	if overloaded != calls-maxHandled/size {
		t.Errorf("%d calls were refused, want %d", overloaded, calls-maxHandled/size)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, respond := range held {
		respond()
	}
	for range held {
		if code := receive(t, "the held calls end", codes); code != "done" {
			t.Errorf("a held call ended with %s", code)
		}
	}
}

func TestCloseEndsCalls(t *testing.T) {
	arrived := make(chan struct{}, 1)
	a, _ := pair(t, Options{}, handlerFunc(
		func(context.Context, string, *clusterpb.Request, func(*clusterpb.Response)) { arrived <- struct{}{} }))
	failed := make(chan error, 1)
	go func() {
		_, err := a.Call(context.Background(), "b", propose("x"))
		failed <- err
	}()
	receive(t, "the request arrives", arrived)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, "the call ends", failed); !errors.Is(err, errClosed) {
		t.Errorf("a call on a port that closed: %v", err)
	}
	if _, err := a.Call(context.Background(), "b", propose("x")); !errors.Is(err, errClosed) {
		t.Errorf("a call on a closed port: %v", err)
	}
}

// BenchmarkCall measures calls of 256 concurrent callers over loopback TLS, client and server in this process.
func BenchmarkCall(b *testing.B) {
	const callers = 256
	a, _ := pair(b, Options{}, handlerFunc(echo))
	body := strings.Repeat("x", 300)
	if _, err := a.Call(context.Background(), "b", propose(body)); err != nil {
		b.Fatal(err)
	}
	before, cpu := a.Stats(), processTime(b)
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			defer cancel()
			req := propose(body)
			for n := i; n < b.N; n += callers {
				if _, err := a.Call(ctx, "b", req); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	s := a.Stats()
	b.ReportMetric((processTime(b)-cpu).Seconds()*1e6/float64(b.N), "cpu-us/call")
	b.ReportMetric(float64(s.Calls-before.Calls)/float64(s.Frames-before.Frames), "calls/frame")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// processTime is the processor time of both ends, which share this process; unlike ns/op it hardly depends on what
// else the machine does.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A member that hangs answers nothing; its callers must not wait for it once another member leads.
func TestDeposedMembersCallsEnd(t *testing.T) {
	arrived := make(chan uint64, 2)
	a, _ := pair(t, Options{}, handlerFunc(func(_ context.Context, _ string, req *clusterpb.Request, _ func(*clusterpb.Response)) {
		arrived <- req.Id
	}))
	ctx, cancel := context.WithCancel(contextFor(t))
	defer cancel()
	failed, status := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := a.Call(ctx, "b", propose("x"))
		failed <- err
	}()
	go func() {
		_, err := a.Call(ctx, "b", &clusterpb.Request{Op: &clusterpb.Request_Status{Status: &clusterpb.Status{}}})
		status <- err
	}()
	receive(t, "the first call arrives", arrived)
	receive(t, "the second call arrives", arrived)
	a.Depose("b")
	var ce *CallError
	if err := receive(t, "the call ends", failed); !errors.As(err, &ce) || !ce.Sent || !errors.Is(err, ErrDeposed) {
		t.Errorf("a call to a deposed leader: %v", err)
	}
	cancel() // what every member can answer is still waited for
	if err := receive(t, "the other call ends", status); !errors.Is(err, context.Canceled) {
		t.Errorf("a question to a deposed leader: %v", err)
	}
	a.Depose("nobody")
}
