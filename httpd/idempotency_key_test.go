package httpd

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// otherSend is another request than testSend.
const otherSend = `{"Action":"SendMessage","MessageBody":"y"}`

// keyed sends a message request to a queue under idempotency keys.
func (a *api) keyed(queue, body string, keys ...string) reply {
	a.t.Helper()
	r := httptest.NewRequest("POST", "/v1/queue/"+queue, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+a.token)
	for _, key := range keys {
		r.Header.Add("Idempotency-Key", key)
	}
	return a.send(r)
}

// expectStored checks how many messages a queue holds.
func (a *api) expectStored(queue string, want int) {
	a.t.Helper()
	r := a.must("GET", "/v1/queues/"+queue, "")
	if got := r.fields["message_count"].(float64); int(got) != want {
		a.t.Errorf("%s holds %v messages, want %d", queue, got, want)
	}
}

// expectReplay checks that an answer is that of an earlier request.
func (a *api) expectReplay(first, again reply) {
	a.t.Helper()
	if again.status != 200 || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
		a.t.Errorf("again: %d %s, replayed %q; want 200 %s", again.status, again.body, again.header.Get("Idempotent-Replayed"), first.body)
	}
	if first.status != 200 || first.header.Get("Idempotent-Replayed") != "" {
		a.t.Errorf("first: %d %s, replayed %q", first.status, first.body, first.header.Get("Idempotent-Replayed"))
	}
}

func TestTheSameSendUnderOneKeyStoresOneMessage(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.moved("messages_sent", map[string]float64{"messages_sent_total": 1}, func() {
		a.moved("idempotent", map[string]float64{"idempotent_replays_total": 2}, func() {
			first := a.keyed("q", `{"Action":"SendMessage","MessageBody":"é","MessageAttributes":{"a":"1","b":"2"},"DelaySeconds":0}`, "k")
			a.expectReplay(first, a.keyed("q", `{"Action":"SendMessage","MessageBody":"é","MessageAttributes":{"a":"1","b":"2"},"DelaySeconds":0}`, "k"))
			a.expectReplay(first, a.keyed("q", ` {"MessageAttributes": {"b":"2","a":"1"}, "MessageBody": "\u00e9", "Action": "SendMessage", "color": 1}`, "k", "k"))
		})
	})
	a.expectStored("q", 1)
	a.must("POST", "/v1/queue/q", testSend)
	a.must("POST", "/v1/queue/q", testSend)
	a.expectStored("q", 3)
}

func TestTheSameBatchUnderOneKeyIsStoredOnce(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q","max_length":2}`)
	batch := `{"Action":"SendMessageBatch","Entries":[{"Id":"a","MessageBody":"x"},{"Id":"b","MessageBody":"y"},{"Id":"c","MessageBody":"z"}]}`
	first := a.keyed("q", batch, "k")
	if !strings.Contains(first.body, `"Failed":[{"Id":"c","Code":"queue_full"`) {
		t.Fatalf("of three messages two fit: %s", first.body)
	}
	a.must("PATCH", "/v1/queues/q", `{"max_length":10}`)
	a.expectReplay(first, a.keyed("q", batch, "k")) // what was refused stays refused
	a.expectStored("q", 2)
}

// TestAnotherRequestUnderAKeyIsRefused: everything that the answer or what is stored depends on makes another request.
func TestAnotherRequestUnderAKeyIsRefused(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queues", `{"name":"other"}`)
	single := `{"Action":"SendMessage","MessageBody":"x","MessageAttributes":{"a":"1"},"DelaySeconds":1}`
	batch := `{"Action":"SendMessageBatch","Entries":[{"Id":"a","MessageBody":"x"},{"Id":"b","MessageBody":"y"}]}`
	alone := `{"Action":"SendMessageBatch","Entries":[{"Id":"a","MessageBody":"x","MessageAttributes":{"a":"1"},"DelaySeconds":1}]}`
	tests := []struct{ key, first, second string }{
		{"body", single, strings.Replace(single, `"x"`, `"y"`, 1)},
		{"attribute", single, strings.Replace(single, `"1"`, `"2"`, 1)},
		{"no attribute", single, strings.Replace(single, `"a":"1"`, "", 1)},
		{"delay", single, strings.Replace(single, `:1}`, `:2}`, 1)},
		{"action", single, alone},
		{"the ids change places", batch, strings.NewReplacer(`"a"`, `"b"`, `"b"`, `"a"`).Replace(batch)},
		{"the messages change places", batch, strings.NewReplacer(`"x"`, `"y"`, `"y"`, `"x"`).Replace(batch)},
		{"fewer", batch, strings.Replace(batch, `,{"Id":"b","MessageBody":"y"}`, "", 1)},
	}
	for i, test := range tests {
		key := fmt.Sprint("k", i)
		first := a.keyed("q", test.first, key)
		r := a.expectError(a.keyed("q", test.second, key), 409, fsm.CodeKeyReused)
		if r.text("outcome") != "not_applied" || !strings.Contains(r.text("detail"), "use a new one") {
			t.Errorf("%s: %s", test.key, r.body)
		}
		a.expectReplay(first, a.keyed("q", test.first, key))
		if elsewhere := a.keyed("other", test.second, key); elsewhere.status != 200 {
			t.Errorf("%s: in another queue it is another key: %d %s", test.key, elsewhere.status, elsewhere.body)
		}
	}
}

func TestKeysAreOfOneUser(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	first := a.keyed("q", testSend, "k")
	admin := a.token
	a.token = a.must("POST", "/v1/auth/api-keys", `{"name":"program"}`).text("key")
	a.expectReplay(first, a.keyed("q", testSend, "k")) // whichever credential says who it is
	a.token = admin
	a.must("POST", "/v1/auth/register", `{"username":"bob","password":"correct horse"}`)
	a.token = a.must("POST", "/v1/auth/login", `{"username":"bob","password":"correct horse"}`).text("access_token")
	if r := a.keyed("q", otherSend, "k"); r.status != 200 || r.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("bob's first use of the key: %d %s", r.status, r.body)
	}
}

func TestKeysAreRememberedForTenMinutes(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.token = a.must("POST", "/v1/auth/api-keys", `{"name":"lasting"}`).text("key")
	first := a.keyed("q", testSend, "k")
	a.node.advance(fsm.RememberFor - time.Second)
	a.expectReplay(first, a.keyed("q", testSend, "k"))
	a.node.advance(time.Second)
	if r := a.keyed("q", testSend, "k"); r.status != 200 || r.header.Get("Idempotent-Replayed") != "" || r.body == first.body {
		t.Errorf("after ten minutes: %d %s", r.status, r.body)
	}
	a.expectStored("q", 2)
}

// TestARefusedSendMayBeTriedAgainUnderItsKey: also as another request, since nothing is remembered.
func TestARefusedSendMayBeTriedAgainUnderItsKey(t *testing.T) {
	a := newStateAPI(t)
	a.expectError(a.keyed("q", testSend, "k"), 404, fsm.CodeQueueNotFound)
	a.must("POST", "/v1/queues", `{"name":"q","max_length":1}`)
	a.must("POST", "/v1/queue/q", testSend)
	a.expectError(a.keyed("q", testSend, "k"), 429, fsm.CodeQueueFull)
	a.must("PATCH", "/v1/queues/q", `{"max_length":10}`)
	first := a.keyed("q", otherSend, "k")
	a.expectReplay(first, a.keyed("q", otherSend, "k"))
	a.expectStored("q", 2)
}

func TestIdempotencyKeysAreChecked(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	longest := strings.Repeat("k", fsm.MaxIdempotencyKeyBytes)
	for _, key := range []string{"k", "!", "~", longest, `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "a,b:c"} {
		r := a.keyed("q", testSend, key)
		got := a.node.commands[len(a.node.commands)-1].GetSendMessage().GetIdempotencyKey()
		if r.status != 200 || got.GetKey() != key || len(got.GetRequestHash()) != 32 {
			t.Errorf("%q: %d %s, proposed with %v", key, r.status, r.body, got)
		}
	}
	proposed := len(a.node.commands)
	for _, keys := range [][]string{{""}, {longest + "k"}, {"a b"}, {"a\tb"}, {"\x7f"}, {"é"}, {"a", "b"}, {"a", ""}, {"", "a"}} {
		r := a.expectError(a.keyed("q", testSend, keys...), 400, fsm.CodeInvalid)
		if detail := r.text("detail"); !strings.HasPrefix(detail, "Idempotency-Key must ") || r.text("outcome") != "not_applied" {
			t.Errorf("%q: %s", keys, r.body)
		}
	}
	if n := len(a.node.commands); n != proposed {
		t.Errorf("%d commands were proposed with keys that are refused", n-proposed)
	}
	a.must("POST", "/v1/queue/q", testSend)
	if c := a.node.commands[len(a.node.commands)-1].GetSendMessage(); c.IdempotencyKey != nil {
		t.Errorf("without a key: %v", c.IdempotencyKey)
	}
}

// TestOtherRequestsIgnoreTheKey: programs put it on every POST.
func TestOtherRequestsIgnoreTheKey(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.keyed("q", testSend, "k")
	a.keyed("q", testSend, "k2")
	for range 2 {
		handle(t, a.keyed("q", `{"Action":"ReceiveMessage"}`, "k"))
	}
	for _, key := range []string{"k", "k", "not a key"} {
		if r := a.keyed("q", `{"Action":"ReceiveMessage"}`, key); r.body != `{"Messages":[]}` || r.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%q: %d %s", key, r.status, r.body)
		}
	}
}

// TestAnUnknownSendIsRepeatedUnderItsKey: the second one learns what became of the first.
func TestAnUnknownSendIsRepeatedUnderItsKey(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	node := a.server.node.(*stateNode)
	node.lose = &cluster.Error{Code: cluster.CodeTimeout, Unknown: true}
	if r := a.expectError(a.keyed("q", testSend, "k"), 503, cluster.CodeTimeout); r.text("outcome") != "unknown" {
		t.Errorf("without a result: %s", r.body)
	}
	node.lose = nil
	if r := a.keyed("q", testSend, "k"); r.status != 200 || r.header.Get("Idempotent-Replayed") != "true" || r.text("MessageId") == "" {
		t.Errorf("again: %d %s", r.status, r.body)
	}
	a.expectStored("q", 1)
}

// TestRequestHashesDiffer: parts that join to the same bytes make different requests.
func TestRequestHashesDiffer(t *testing.T) {
	message := func(content string, delay uint32) *fsmpb.NewMessage {
		return &fsmpb.NewMessage{Content: []byte(content), DelayS: delay}
	}
	seen := map[string]int{}
	for i, hash := range [][]byte{
		requestHash("SendMessage", nil, []*fsmpb.NewMessage{message("ab", 0)}),
		requestHash("SendMessage", nil, []*fsmpb.NewMessage{message("a", 0)}),
		requestHash("SendMessage", nil, []*fsmpb.NewMessage{message("ab", 256)}),
		requestHash("SendMessageBatch", []string{"a"}, []*fsmpb.NewMessage{message("b", 0)}),
		requestHash("SendMessageBatch", []string{"ab"}, []*fsmpb.NewMessage{message("", 0)}),
		requestHash("SendMessageBatch", []string{""}, []*fsmpb.NewMessage{message("ab", 0)}),
		requestHash("SendMessageBatch", []string{"a", "b"}, []*fsmpb.NewMessage{message("", 0), message("", 0)}),
		requestHash("SendMessageBatch", []string{"b", "a"}, []*fsmpb.NewMessage{message("", 0), message("", 0)}),
	} {
		if j, ok := seen[string(hash)]; ok {
			t.Errorf("requests %d and %d have one hash", i, j)
		}
		seen[string(hash)] = i
	}
	again := requestHash("SendMessage", nil, []*fsmpb.NewMessage{message("ab", 0)})
	if first := requestHash("SendMessage", nil, []*fsmpb.NewMessage{message("ab", 0)}); !bytes.Equal(first, again) {
		t.Error("one request has two hashes")
	}
}
