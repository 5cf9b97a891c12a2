package httpd

import (
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// TestBrokenJSON: nothing is repaired, nothing crashes.
func TestBrokenJSON(t *testing.T) {
	send := func(body string) string { return `{"Action":"SendMessage","MessageBody":` + body + `}` }
	for name, c := range map[string]struct{ body, detail string }{
		"empty":            {"", "The body must be a JSON object; it is empty."},
		"null":             {"null", "Action must be one of"},
		"array":            {"[]", "The body must be a JSON object."},
		"string":           {`"x"`, "The body must be a JSON object."},
		"cut":              {`{"Action":"SendMessage"`, "The body is not valid JSON: unexpected EOF at byte 23."},
		"two values":       {send(`"x"`) + "{}", "The body is not valid JSON: "},
		"trailing comma":   {`{"Action":"SendMessage",}`, "The body is not valid JSON: "},
		"single quotes":    {`{'Action':1}`, "The body is not valid JSON: "},
		"invalid UTF-8":    {send("\"a\xffb\""), "The body is not valid JSON: invalid UTF-8"},
		"lone surrogate":   {send(`"\ud800"`), "The body is not valid JSON: "},
		"swapped pair":     {send(`"\udc00\ud800"`), "The body is not valid JSON: "},
		"control":          {send("\"a\nb\""), "The body is not valid JSON: "},
		"NUL outside":      {"\x00", "The body is not valid JSON: "},
		"name given twice": {`{"Action":"SendMessage","MessageBody":"a","MessageBody":"b"}`, "MessageBody must be given only once."},
		"deep":             {strings.Repeat(`{"a":`, 100_000), "The body is not valid JSON: "},
		"deep and ignored": {`{"Action":"SendMessage","MessageBody":"x","x":` + strings.Repeat("[", 100_000), "The body is not valid JSON: "},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			r := a.do("POST", "/v1/queue/q", c.body)
			if r.status != 400 || !strings.HasPrefix(r.text("detail"), c.detail) || len(r.body) > 500 {
				t.Errorf("got %d %s", r.status, r.body)
			}
			if len(a.node.commands) != 0 {
				t.Error("something was proposed")
			}
		})
	}
}

// TestBodyComesBackUnchanged sends what is easily damaged on its way.
func TestBodyComesBackUnchanged(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	for body, want := range map[string]string{
		`"\u0000"`:       "\x00",
		`"\ud83d\udd11"`: "\U0001F511",
		`"\ufffd"`:       "\ufffd",
		`"<>&\u2028"`:    "<>&\u2028",
		`"\"\\\/\b\f"`:   "\"\\/\b\f",
		"\"\U0010FFFF\"": "\U0010FFFF",
	} {
		a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":`+body+`}`)
		r := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`)
		if got := r.fields["Messages"].([]any)[0].(map[string]any)["Body"]; got != want {
			t.Errorf("%s came back as %q", body, got)
		}
	}
}

func TestUnknownFieldNamesTheNearest(t *testing.T) {
	a := newAPI(t)
	for body, want := range map[string]string{
		`{"Action":"SendMessageBatch","Entry":[]}`: "Entry is not a field of this request; the nearest one is Entries.",
		`{"Action":"SendMessageBatch","Entries":[{"Id":"1","messagebody":"x"}]}`: "Entries[0].messagebody is not a field of this request; " +
			"the nearest one is MessageBody.",
		`{"Action":"DeleteMessageBatch","Entries":[{"Id":"1"},{"Handle":"x"}]}`: "Entries[1].Handle is not a field of this request; " +
			"the nearest one is Id.",
		`{"Action":"DeleteMessageBatch","Entries":[{"Id":"1","RecieptHandle":"x"}]}`: "Entries[0].RecieptHandle is not a field of this request; " +
			"the nearest one is ReceiptHandle.",
	} {
		if r := a.do("POST", "/v1/queue/q", body); r.status != 400 || r.text("detail") != want {
			t.Errorf("got  %s\nwant %s", r.body, want)
		}
	}
	r := a.do("POST", "/v1/queue/q", `{"Action":"SendMessageBatch","`+strings.Repeat("é", 5000)+`":1}`)
	if r.status != 400 || len(r.body) > 500 || !utf8.ValidString(r.body) {
		t.Errorf("a long name gave %d %s", r.status, r.body)
	}
}

// FuzzAct gives the message endpoint any body. What it accepts must be complete and in its limits.
func FuzzAct(f *testing.F) {
	for _, seed := range []string{
		testSend,
		`{"Action":"SendMessage","MessageBody":"x","MessageAttributes":{"a":"1","b":{"DataType":"Binary","BinaryValue":"AAE="}},"DelaySeconds":3}`,
		`{"Action":"ReceiveMessage","MaxNumberOfMessages":10,"VisibilityTimeout":0,"WaitTimeSeconds":0}`,
		`{"Action":"DeleteMessage","ReceiptHandle":"x"}`,
		`{"Action":"SendMessageBatch","Entries":[{"Id":"1","MessageBody":"x"},{"Id":"2","MessageBody":"y"}]}`,
		`{"Action":"DeleteMessageBatch","Entries":[{"Id":"1","ReceiptHandle":"x"}]}`,
		`{"Action":"\ud800"}`, `[`, `{"Action":"SendMessage","MessageBody":"x"`,
	} {
		f.Add([]byte(seed))
	}
	a := newAPI(f)
	a.must("POST", "/v1/queues", `{"name":"q","max_length":5}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		a.t = t
		a.node.commands = nil
		r := a.do("POST", "/v1/queue/q", string(body))
		if r.status >= 500 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		for _, cmd := range a.node.commands {
			for _, m := range cmd.GetSendMessage().GetMessages() {
				var c fsmpb.Content
				if err := proto.Unmarshal(m.Content, &c); err != nil || c.Body == "" || len(c.Attributes) > 10 || m.DelayS > 900 {
					t.Fatalf("proposed %v, %v", cmd, err)
				}
			}
		}
	})
}
