package httpd

import (
	"net/http"
	"testing"

	"github.com/fastqueue/fastqueue/fsm"
)

// TestDocumentedQueueAnswers walks through the queue part of the API document: every status, every field, nothing else.
func TestDocumentedQueueAnswers(t *testing.T) {
	a := newAPI(t)
	a.expect("GET", "/v1/queues", "", 200, `{"queues":[]}`)
	a.expect("POST", "/v1/queues", `{"name":"q1","max_length":1000,"visibility_timeout":30}`, 201,
		`{"name":"q1","message_count":0,"max_length":1000,"visibility_timeout":30}`)
	a.expect("POST", "/v1/queues", `{"name":"q0"}`, 201, `{"name":"q0","message_count":0,"max_length":10000,"visibility_timeout":30}`)
	exists := a.expectError(a.do("POST", "/v1/queues", `{"name":"q1"}`), 409, fsm.CodeQueueExists)
	if exists.text("detail") != "Queue with the given name already exists." || exists.text("outcome") != "not_applied" {
		t.Errorf("create twice: %s", exists.body)
	}
	for range 5 {
		a.must("POST", "/v1/queue/q1", `{"Action":"SendMessage","MessageBody":"x"}`)
	}
	a.must("POST", "/v1/queue/q1", `{"Action":"ReceiveMessage"}`)
	a.expect("GET", "/v1/queues", "", 200, `{"queues":[{"name":"q0","message_count":0,"max_length":10000,"visibility_timeout":30},`+
		`{"name":"q1","message_count":5,"max_length":1000,"visibility_timeout":30}]}`)
	a.expect("PATCH", "/v1/queues/q1", `{"max_length":2000,"visibility_timeout":60}`, 200,
		`{"name":"q1","message_count":5,"max_length":2000,"visibility_timeout":60}`)
	a.expect("PATCH", "/v1/queues/q1", `{"visibility_timeout":0}`, 200,
		`{"name":"q1","message_count":5,"max_length":2000,"visibility_timeout":0}`)
	a.expect("PATCH", "/v1/queues/q1", `{"max_length":1}`, 200, `{"name":"q1","message_count":5,"max_length":1,"visibility_timeout":0}`)
	a.expect("DELETE", "/v1/queues/q1", "", 204, "")
	for _, method := range []string{"DELETE", "PATCH"} {
		for _, path := range []string{"/v1/queues/q1", "/v1/queues/a%2Fb", "/v1/queues/no.such"} {
			if r := a.expectError(a.do(method, path, `{}`), 404, fsm.CodeQueueNotFound); r.text("detail") != "Queue not found." {
				t.Errorf("%s %s: %s", method, path, r.body)
			}
		}
	}
}

// TestDocumentedMessageAnswers does the same for messages.
func TestDocumentedMessageAnswers(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	id := fsm.MessageID(a.node.queues["q"].id, 1)
	a.expect("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","MaxNumberOfMessages":1}`, 200, `{"Messages":[]}`)
	a.expect("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"Your content <&> é","MessageAttributes":{"b":"2","a":"1"}}`,
		200, `{"MessageId":"`+id+`","status":"sent"}`)
	received := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","MaxNumberOfMessages":1}`)
	first, _ := received.fields["Messages"].([]any)[0].(map[string]any)
	handle, _ := first["ReceiptHandle"].(string)
	want := `{"Messages":[{"MessageId":"` + id + `","Body":"Your content <&> é","Attributes":{"a":"1","b":"2"},"ReceiptHandle":"` + handle + `"}]}`
	if received.body != want || handle == "" {
		t.Errorf("received\n%s, want\n%s", received.body, want)
	}
	deletion := `{"Action":"DeleteMessage","ReceiptHandle":"` + handle + `"}`
	a.expect("POST", "/v1/queue/q", deletion, 200, `{"message":"Message deleted successfully"}`)
	a.expectError(a.do("POST", "/v1/queue/q", deletion), 404, fsm.CodeMessageNotFound)

	for _, body := range []string{`{"Action":"SendMessage","MessageBody":"x"}`, `{"Action":"ReceiveMessage"}`, deletion,
		`{"Action":"DeleteMessageBatch","Entries":[{"Id":"1","ReceiptHandle":"made up"}]}`} {
		for _, queue := range []string{"missing", "not.a.name", "a%2Fb"} {
			if r := a.expectError(a.do("POST", "/v1/queue/"+queue, body), 404, fsm.CodeQueueNotFound); r.text("detail") != "Queue not found." {
				t.Errorf("%s: %s", body, r.body)
			}
		}
	}
}

// TestOldHandleIsRefused: only the newest receive's handle deletes, and only a real one.
func TestOldHandleIsRefused(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queues", `{"name":"other"}`)
	a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"x"}`)
	receive := func() string {
		r := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","VisibilityTimeout":0}`)
		return r.fields["Messages"].([]any)[0].(map[string]any)["ReceiptHandle"].(string)
	}
	first, second := receive(), receive()
	remove := func(queue, handle string) reply {
		return a.do("POST", "/v1/queue/"+queue, `{"Action":"DeleteMessage","ReceiptHandle":"`+handle+`"}`)
	}
	a.expectError(remove("q", first), 404, fsm.CodeReceiptSuperseded)
	a.expectError(remove("other", second), 404, fsm.CodeMessageNotFound)
	a.expectError(remove("q", second[:len(second)-1]+"~"), 404, fsm.CodeMessageNotFound)
	if r := remove("q", second); r.status != http.StatusOK {
		t.Errorf("newest handle: %s", r.body)
	}
}

func TestHealthAnswers(t *testing.T) {
	a := newAPI(t)
	a.token = ""
	a.expect("GET", "/livez", "", 200, `{"status":"alive"}`)
	a.expect("GET", "/readyz", "", 200, `{"status":"ready","reasons":[]}`)
	a.expect("HEAD", "/livez", "", 200, `{"status":"alive"}`) // net/http leaves the body out
	a.node.notReady = []string{"no leader"}
	a.expect("GET", "/readyz", "", 503, `{"status":"not ready","reasons":["no leader"]}`)
	a.node.notReady, a.node.draining = nil, true
	if got := a.do("GET", "/livez", "").header.Get("Connection"); got != "close" {
		t.Errorf("Connection of a draining node: %q", got)
	}
}

func TestClusterViewNeedsATokenAndNoLeader(t *testing.T) {
	a := newAPI(t)
	a.node.err = errNoLeader
	a.expect("GET", "/v1/cluster", "", 200, `{"cluster_id":"c1","node":"n1","leader":"n2","term":3,"age_ms":12,"summary":"Well.","members":[`+
		`{"name":"n1","id":"n1-abc","voter":true,"leader":false,"http":"h:1","cluster":"h:2","lag":4,"version":"v","last_contact_ms":-1,`+
		`"up":true,"lag_seconds":0.5,"applied_index":7,"disk_free":9,"disk_low":false,"clock_difference_ms":-3,"draining":false}],`+
		`"state_hashes":[{"index":8,"hash":"00000000000000ab"}]}`)
	if len(a.node.queries) != 0 {
		t.Errorf("%d reads of the leader", len(a.node.queries))
	}
	a.token = ""
	a.expectError(a.do("GET", "/v1/cluster", ""), 401, fsm.CodeUnauthenticated)
}
