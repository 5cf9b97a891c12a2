package httpd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/fsm"
)

// TestValidation: every refusal is 400, names the field and what is allowed, and nothing is proposed.
func TestValidation(t *testing.T) {
	long := strings.Repeat("a", 81)
	queueName := "name must be 1 to 80 characters of A-Z, a-z, 0-9, _ and -."
	for _, c := range []struct{ method, path, body, detail string }{
		{"POST", "/v1/queues", `{}`, queueName},
		{"POST", "/v1/queues", `{"name":null}`, queueName},
		{"POST", "/v1/queues", `{"name":"` + long + `"}`, queueName},
		{"POST", "/v1/queues", `{"name":"a b"}`, queueName},
		{"POST", "/v1/queues", `{"name":"é"}`, queueName},
		{"POST", "/v1/queues", `{"name":"a\u0000"}`, queueName},
		{"POST", "/v1/queues", `{"name":"a.fifo"}`, "name must not end in .fifo: FIFO queues are not supported."},
		{"POST", "/v1/queues", `{"name":7}`, "name must be a string."},
		{"POST", "/v1/queues", `{"name":"q","max_length":0}`, "max_length must be a whole number from 1 to 100000000."},
		{"POST", "/v1/queues", `{"name":"q","max_length":100000001}`, "max_length must be a whole number from 1 to 100000000."},
		{"POST", "/v1/queues", `{"name":"q","max_length":1.5}`, "max_length must be a whole number from 1 to 100000000."},
		{"POST", "/v1/queues", `{"name":"q","max_length":"5"}`, "max_length must be a whole number from 1 to 100000000."},
		{"POST", "/v1/queues", `{"name":"q","max_length":1e99}`, "max_length must be a whole number from 1 to 100000000."},
		{"POST", "/v1/queues", `{"name":"q","max_length":{"a":[]}}`, "max_length must be a whole number from 1 to 100000000."},
		{"PATCH", "/v1/queues/q", `{"visibility_timeout":-1}`, "visibility_timeout must be a whole number from 0 to 43200."},
		{"PATCH", "/v1/queues/q", `{"visibility_timeout":43201}`, "visibility_timeout must be a whole number from 0 to 43200."},
		{"PATCH", "/v1/queues/q", `{"max_length":true}`, "max_length must be a whole number from 1 to 100000000."},

		{"POST", "/v1/queue/q", `{}`, "Action must be one of ChangeMessageVisibility, ChangeMessageVisibilityBatch, DeleteMessage, DeleteMessageBatch, ReceiveMessage, SendMessage, SendMessageBatch."},
		{"POST", "/v1/queue/q", `{"Action":3}`, "Action must be a string."},
		{"POST", "/v1/queue/q", `{"Action":"sendMesage"}`, "Action must be one of ChangeMessageVisibility, ChangeMessageVisibilityBatch, DeleteMessage, DeleteMessageBatch, ReceiveMessage, " +
			"SendMessage, SendMessageBatch. The nearest to the given one is SendMessage."},
		{"POST", "/v1/queue/q", `{"Action":"SendMessage"}`, "MessageBody must be a string of at least 1 byte."},
		{"POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":""}`, "MessageBody must be a string of at least 1 byte."},
		{"POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":{}}`, "MessageBody must be a string."},
		{"POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"x","DelaySeconds":901}`, "DelaySeconds must be a whole number from 0 to 900."},
		{"POST", "/v1/queue/q", `{"Action":"ReceiveMessage","MaxNumberOfMessages":0}`, "MaxNumberOfMessages must be a whole number from 1 to 10."},
		{"POST", "/v1/queue/q", `{"Action":"ReceiveMessage","MaxNumberOfMessages":11}`, "MaxNumberOfMessages must be a whole number from 1 to 10."},
		{"POST", "/v1/queue/q", `{"Action":"ReceiveMessage","VisibilityTimeout":43201}`, "VisibilityTimeout must be a whole number from 0 to 43200."},
		{"POST", "/v1/queue/q", `{"Action":"ReceiveMessage","WaitTimeSeconds":21}`, "WaitTimeSeconds must be a whole number from 0 to 20."},
		{"POST", "/v1/queue/q", `{"Action":"DeleteMessage"}`, "ReceiptHandle must be a string that is not empty."},

		{"POST", "/v1/auth/register", `{"password":"12345678"}`, "username must be 1 to 128 bytes without control or format characters and without spaces at its ends."},
		{"POST", "/v1/auth/register", `{"username":" a","password":"12345678"}`, "username must be 1 to 128 bytes without control or format characters and without spaces at its ends."},
		{"POST", "/v1/auth/register", `{"username":"a\n","password":"12345678"}`, "username must be 1 to 128 bytes without control or format characters and without spaces at its ends."},
		{"POST", "/v1/auth/register", `{"username":"a\u202eb","password":"12345678"}`, "username must be 1 to 128 bytes without control or format characters and without spaces at its ends."},
		{"POST", "/v1/auth/register", `{"username":"a\u2028b","password":"12345678"}`, "username must be 1 to 128 bytes without control or format characters and without spaces at its ends."},
		{"POST", "/v1/auth/register", `{"username":"a","password":"1234567"}`, "password must be 8 to 128 characters."},
		{"POST", "/v1/auth/register", `{"username":"a"}`, "password must be 8 to 128 characters."},
		{"POST", "/v1/auth/login", `{"password":"12345678"}`, "username must be a string that is not empty."},
		{"POST", "/v1/auth/login", `{"username":"a"}`, "password must be a string that is not empty."},
		{"POST", "/v1/auth/refresh", `{}`, "refresh_token must be a string that is not empty."},
		{"POST", "/v1/auth/change-password", `{"username":"a","new_password":"12345678"}`, "old_password must be a string that is not empty."},
		{"POST", "/v1/auth/change-password", `{"username":"a","old_password":"x","new_password":"1"}`, "new_password must be 8 to 128 characters."},
		{"POST", "/v1/auth/delete", `{"username":"a"}`, "password must be a string that is not empty."},
	} {
		t.Run(c.path+c.body, func(t *testing.T) {
			a := newAPI(t)
			r := a.expectError(a.do(c.method, c.path, c.body), 400, fsm.CodeInvalid)
			if r.text("detail") != c.detail || r.text("outcome") != "not_applied" {
				t.Errorf("got  %s\nwant %s", r.body, c.detail)
			}
			if len(a.node.commands) != 0 {
				t.Errorf("%d commands were proposed", len(a.node.commands))
			}
		})
	}
}

// TestLimitsAreAllowed: the ends of every range are in it.
func TestLimitsAreAllowed(t *testing.T) {
	a := newAPI(t)
	for _, name := range []string{"a", strings.Repeat("z", 80), "A-z_9"} {
		a.must("POST", "/v1/queues", fmt.Sprintf(`{"name":%q,"max_length":100000000,"visibility_timeout":43200}`, name))
	}
	a.must("PATCH", "/v1/queues/a", `{}`)
	a.must("PATCH", "/v1/queues/a", `{"max_length":1,"visibility_timeout":0}`)
	a.must("PATCH", "/v1/queues/a", `{"max_length":null}`)
	a.must("POST", "/v1/queue/a", `{"Action":"SendMessage","MessageBody":"x","DelaySeconds":900}`)
	a.must("POST", "/v1/queue/a", `{"Action":"ReceiveMessage","MaxNumberOfMessages":10,"VisibilityTimeout":43200,"WaitTimeSeconds":20}`)
	if d := a.node.commands[len(a.node.commands)-2].GetSendMessage().Messages[0].DelayS; d != 900 {
		t.Errorf("delay is %d", d)
	}
}

// TestUnknownFieldsOfDocumentedRequestsAreIgnored keeps old clients working.
func TestUnknownFieldsOfDocumentedRequestsAreIgnored(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q","color":"red","Name":7}`)
	a.must("PATCH", "/v1/queues/q", `{"name":["x"]}`)
	a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"x","MaxNumberOfMessages":"ignored","extra":{"a":[1]}}`)
	a.must("POST", "/v1/queue/q", `{"extra":1,"Action":"ReceiveMessage","MessageBody":{}}`)
}
