package httpd

import (
	"bytes"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// receiveAgain leaves the messages where everybody can receive them again.
const receiveAgain = `{"Action":"ReceiveMessage","MaxNumberOfMessages":10,"VisibilityTimeout":0}`

// store puts a message into the fake's queue without a request.
func (a *api) store(body string) {
	a.t.Helper()
	content, err := proto.Marshal(&fsmpb.Content{Body: body})
	if err != nil {
		a.t.Fatal(err)
	}
	a.node.mu.Lock()
	defer a.node.mu.Unlock()
	a.node.queues["q"].send(&fsmpb.SendMessage{Messages: []*fsmpb.NewMessage{{Content: content}}})
}

// released counts the messages that were given back.
func (a *api) released() int {
	a.node.mu.Lock()
	defer a.node.mu.Unlock()
	n := 0
	for _, c := range a.node.commands {
		n += len(c.GetReleaseMessage().GetReceipts())
	}
	return n
}

func (a *api) held() int64 {
	return a.server.answers.large.held.Load() + a.server.answers.small.held.Load()
}

// unread sends a receive on a connection whose answer stays unread but for what the kernel takes.
func (a *api) unread() net.Conn {
	a.t.Helper()
	conn := a.dial()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		a.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /v1/queue/q HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+a.token+
		"\r\nContent-Length: "+strconv.Itoa(len(receiveAgain))+"\r\n\r\n"+receiveAgain); err != nil {
		a.t.Fatal(err)
	}
	return conn
}

// until waits for a condition, and fails the test if it does not come true.
func (a *api) until(what string, condition func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			a.t.Fatalf("never: %s", what)
		}
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestUnreadAnswersAreBoundedTogether: a hundred connections ask for 6 MiB each and read nothing.
func TestUnreadAnswersAreBoundedTogether(t *testing.T) {
	const budget = 32 << 20
	a := listening(t, Limits{AnswerBytes: budget})
	a.store(strings.Repeat("\x01", fsm.MaxMessageBytes))
	before := heapInUse()
	conns := make([]net.Conn, 100)
	for i := range conns {
		conns[i] = a.unread()
	}
	const inProgress = budget / 4 * 3 / (7 << 20) // the text, and the message it is made of
	a.until("97 requests are refused and their messages given back", func() bool { return a.released() == len(conns)-inProgress })
	if held, now := a.held(), heapInUse(); held > budget || held < 6<<20*inProgress || now > before+2*budget {
		t.Errorf("%d answers hold %d bytes, the heap grew from %d to %d", inProgress, held, before, now)
	}
	a.must("GET", "/v1/queues", "") // others are answered meanwhile
	full := a.expectError(a.do("POST", "/v1/queue/q", receiveAgain), 503, cluster.CodeOverloaded)
	if full.text("outcome") != outcomeNotApplied || full.header.Get("Retry-After") == "" {
		t.Errorf("refused: %v %s", full.header, full.body)
	}
	for _, conn := range conns {
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	a.until("nothing is held", func() bool { return a.held() == 0 })
	if got := a.must("POST", "/v1/queue/q", receiveAgain); len(got.body) < 6*fsm.MaxMessageBytes {
		t.Errorf("answered %d bytes", len(got.body))
	}
	if held := a.held(); held != 0 {
		t.Errorf("%d bytes are held by nobody", held)
	}
}

// TestAnswerWaitsForRoom for a moment: it is refused only if there is none.
func TestAnswerWaitsForRoom(t *testing.T) {
	a := listening(t, Limits{AnswerBytes: 32 << 20})
	a.store(strings.Repeat("\x01", fsm.MaxMessageBytes))
	other := heldAnswer{}
	if err := a.server.answers.pay(t.Context(), &other, 20<<20); err != nil {
		t.Fatal(err)
	}
	status := make(chan string, 1)
	go func() { status <- a.overTheWire(receiveAgain) }()
	a.until("one waits", func() bool { return a.server.answers.large.waiting.Load() > 0 })
	other.release()
	if got := <-status; got != "HTTP/1.1 200 OK" {
		t.Errorf("got %q", got)
	}
}

// TestSlowReaderLosesItsAnswer long before the time of a whole request is over.
func TestSlowReaderLosesItsAnswer(t *testing.T) {
	a := listening(t, Limits{Answer: 100 * time.Millisecond})
	a.store(strings.Repeat("\x01", fsm.MaxMessageBytes))
	a.unread()
	a.until("it is being answered", func() bool { return a.held() > 0 })
	a.until("nothing is held", func() bool { return a.held() == 0 })
	if got := testutil.ToFloat64(a.server.metrics.slowClients); got != 1 {
		t.Errorf("%v slow clients", got)
	}
}

// TestRefusedReceiveThatDeleted has an unknown outcome: its messages were given back, its deletes were made.
func TestRefusedReceiveThatDeleted(t *testing.T) {
	a := newStateAPIWith(t, Config{Limits: Limits{AnswerBytes: 32 << 20}})
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queue/q", testSend)
	first := handle(t, a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`))
	a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"`+strings.Repeat("x", 100<<10)+`"}`)
	other := heldAnswer{}
	if err := a.server.answers.pay(t.Context(), &other, 24<<20); err != nil {
		t.Fatal(err)
	}
	receive := `{"Action":"ReceiveMessage","DeleteReceiptHandles":["` + first + `"]}`
	if r := a.expectError(a.do("POST", "/v1/queue/q", receive), 503, cluster.CodeOverloaded); r.text("outcome") != outcomeUnknown {
		t.Errorf("after a delete: %s", r.body)
	}
	if r := a.expectError(a.do("POST", "/v1/queue/q", receive), 503, cluster.CodeOverloaded); r.text("outcome") != outcomeNotApplied {
		t.Errorf("with nothing deleted: %s", r.body)
	}
	other.release()
	again := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","SystemAttributeNames":["ApproximateReceiveCount"]}`)
	if !strings.Contains(again.body, `"ApproximateReceiveCount":"1"`) {
		t.Errorf("a message that was given back: %s", clip(again.body[100<<10:]))
	}
}

// TestListsArePaidFor: no answer is too small to count when there are many.
func TestListsArePaidFor(t *testing.T) {
	a := newAPI(t)
	a.server.answers = newAnswerBudget(1 << 20)
	for i := range 2_000 {
		name := "queue-" + strconv.Itoa(i)
		a.node.queues[name] = &fakeQueue{info: &fsmpb.QueueInfo{Name: name, Settings: &fsmpb.QueueSettings{}}}
	}
	other := heldAnswer{}
	if err := a.server.answers.pay(t.Context(), &other, 1<<20); err != nil {
		t.Fatal(err)
	}
	a.expectError(a.do("GET", "/v1/queues", ""), 503, cluster.CodeOverloaded)
	a.must("GET", "/v1/queues?limit=10", "")
	a.must("GET", "/v1/queues?limit=300", "")
	other.release()
	a.must("GET", "/v1/queues", "")
	if held := a.held(); held != 0 {
		t.Errorf("%d bytes are held by nobody", held)
	}
}

// TestReceiveHasOneMiB of messages, but always one.
func TestReceiveHasOneMiB(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	for _, size := range []int{fsm.MaxMessageBytes, 1, fsm.MaxReceiveBytes / 2, fsm.MaxReceiveBytes/2 - 100, 200} {
		a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"`+strings.Repeat("x", size)+`"}`)
	}
	var got []int
	for range 3 {
		r := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","MaxNumberOfMessages":10}`)
		got = append(got, len(r.fields["Messages"].([]any)))
	}
	if got[0] != 1 || got[1] != 3 || got[2] != 1 {
		t.Errorf("received %v messages, want [1 3 1]", got)
	}
}

// TestPaidIsNoLessThanTheText, whatever has to be escaped.
func TestPaidIsNoLessThanTheText(t *testing.T) {
	for _, text := range []string{"", "plain", "\x00\x01\x1f", "\n\t\"\\/", "<&>", "é€\U0001F600\u2028\u007f\u0085", strings.Repeat("\x02", 5_000), strings.Repeat(`"`, 70_000)} {
		quoted, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := escapedBytes([]byte(text)); got != int64(len(quoted)-2) {
			t.Errorf("%q: %d bytes, JSON has %d", clip(text), got, len(quoted)-2)
		}
		content, err := proto.Marshal(&fsmpb.Content{Body: text, Attributes: []*fsmpb.Attribute{
			{Name: "a", DataType: "String", Value: &fsmpb.Attribute_StringValue{StringValue: text}},
			{Name: "b", DataType: "Binary", Value: &fsmpb.Attribute_BinaryValue{BinaryValue: []byte(text)}}}})
		if err != nil {
			t.Fatal(err)
		}
		received := &fsmpb.ReceiveResult{Queue: 1 << 60}
		for i := range uint64(10) {
			received.Deliveries = append(received.Deliveries, &fsmpb.Delivery{Sequence: i << 60, Delivery: 1 << 30, Count: 1 << 30,
				FirstReceiveMs: 1 << 50, Message: &fsmpb.Message{Content: content, SentMs: 1 << 50}})
		}
		out, err := answerReceived([]byte("key"), received, []string{"All"})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		most, memory := sizeOf(received)
		b.Grow(int(most))
		if err := json.MarshalWrite(&b, out); err != nil {
			t.Fatal(err)
		}
		if int64(b.Len()) > most || int64(b.Cap()) > memory+8<<10 { // which the runtime rounds up
			t.Errorf("%q: expected %d bytes and %d of memory, got %d in %d", clip(text), most, memory, b.Len(), b.Cap())
		}
	}
}

// TestJSONEndsWithANewline, which people at a terminal need, and counts it.
func TestJSONEndsWithANewline(t *testing.T) {
	a := newAPI(t)
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v1/queues", `{"name":"q"}`}, {"GET", "/v1/queues", ""}, {"GET", "/nothing", ""}, {"POST", "/v1/queues", `{`},
		{"GET", "/openapi.json", ""}, {"GET", "/readyz", ""},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer "+a.token)
		a.server.Handler().ServeHTTP(w, r)
		body := w.Body.Bytes()
		if !bytes.HasSuffix(body, []byte("}\n")) || w.Header().Get("Content-Length") != strconv.Itoa(len(body)) {
			t.Errorf("%s %s: Content-Length %q of %q", c.method, c.path, w.Header().Get("Content-Length"), body[max(0, len(body)-20):])
		}
	}
}
