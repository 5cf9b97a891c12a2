package httpd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/fsm"
)

func TestSendBatchIsOneCommandDecidedPerMessage(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q","max_length":2}`)
	before := len(a.node.commands)
	id := a.node.queues["q"].id
	a.expect("POST", "/v1/queue/q", `{"Action":"SendMessageBatch","Entries":[{"Id":"x","MessageBody":"1"},
		{"Id":"y-1","MessageBody":"2","MessageAttributes":{"k":"v"},"DelaySeconds":5},{"Id":"z_Z","MessageBody":"3"}]}`, 200,
		`{"Successful":[{"Id":"x","MessageId":"`+fsm.MessageID(id, 1)+`"},{"Id":"y-1","MessageId":"`+fsm.MessageID(id, 2)+`"}],`+
			`"Failed":[{"Id":"z_Z","Code":"queue_full","Message":"The queue is full. Receive and delete messages, or raise max_length."}]}`)
	if n := len(a.node.commands) - before; n != 1 {
		t.Errorf("%d commands", n)
	}
	a.expectError(a.do("POST", "/v1/queue/q", testSend), 429, fsm.CodeQueueFull)
}

func TestDeleteBatchSaysWhatBecameOfEach(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queue/q", testSend)
	a.must("POST", "/v1/queue/q", testSend)
	r := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","MaxNumberOfMessages":10}`)
	var handles []string
	for _, m := range r.fields["Messages"].([]any) {
		handles = append(handles, m.(map[string]any)["ReceiptHandle"].(string))
	}
	before := len(a.node.commands)
	body := fmt.Sprintf(`{"Action":"DeleteMessageBatch","Entries":[{"Id":"1","ReceiptHandle":%q},{"Id":"2","ReceiptHandle":"made up"},`+
		`{"Id":"3","ReceiptHandle":%q},{"Id":"4","ReceiptHandle":%q}]}`, handles[0], handles[1], handles[0])
	a.expect("POST", "/v1/queue/q", body, 200, `{"Successful":[{"Id":"1"},{"Id":"3"}],"Failed":[`+
		`{"Id":"2","Code":"message_not_found","Message":"Message not found. It was deleted before, or the handle is not of this queue."},`+
		`{"Id":"4","Code":"message_not_found","Message":"Message not found. It was deleted before, or the handle is not of this queue."}]}`)
	if n := len(a.node.commands) - before; n != 1 {
		t.Errorf("%d commands", n)
	}
}

func TestBatchIsRefusedWhole(t *testing.T) {
	eleven := strings.Repeat(`{"Id":"1"},`, 10) + `{"Id":"1"}`
	for entries, want := range map[string]string{
		``:                      "Entries must be an array of 1 to 10 entries.",
		eleven:                  "Entries must be an array of 1 to 10 entries.",
		`{}`:                    "Entries[0].Id must be 1 to 80 characters of A-Z, a-z, 0-9, _ and -.",
		`{"Id":"a b"}`:          "Entries[0].Id must be 1 to 80 characters of A-Z, a-z, 0-9, _ and -.",
		`{"Id":"1"},{"Id":"1"}`: "Entries[1].Id must differ from the Id of every other entry.",
		`{"Id":7}`:              "Entries[0].Id must be a string.",
		`7`:                     "Entries[0] must be a JSON object.",
		`{"Id":"1","MessageBody":"x"},{"Id":"2"}`:        "Entries[1].MessageBody must be a string of at least 1 byte.",
		`{"Id":"1","MessageBody":"x","DelaySeconds":-1}`: "Entries[0].DelaySeconds must be a whole number from 0 to 900.",
	} {
		a := newAPI(t)
		r := a.expectError(a.do("POST", "/v1/queue/q", `{"Action":"SendMessageBatch","Entries":[`+entries+`]}`), 400, fsm.CodeInvalid)
		if r.text("detail") != want || len(a.node.commands) != 0 {
			t.Errorf("%s: got %s, want %s", entries, r.body, want)
		}
	}
	a := newAPI(t)
	r := a.do("POST", "/v1/queue/q", `{"Action":"DeleteMessageBatch","Entries":[{"Id":"1"}]}`)
	if r.status != 400 || r.text("detail") != "Entries[0].ReceiptHandle must be a string that is not empty." {
		t.Errorf("delete without handle: %s", r.body)
	}
	r = a.do("POST", "/v1/queue/q", `{"Action":"DeleteMessageBatch","Entries":{}}`)
	if r.status != 400 || r.text("detail") != "Entries must be an array." {
		t.Errorf("entries that are no array: %s", r.body)
	}
}
