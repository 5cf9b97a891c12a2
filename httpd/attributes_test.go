package httpd

import (
	"strings"
	"testing"
)

// TestAttributesComeBackInTheirShape: sorted by name, otherwise as they were sent.
func TestAttributesComeBackInTheirShape(t *testing.T) {
	ten := strings.TrimSuffix(strings.Repeat(`"k?":"v",`, 10), ",")
	for i := range 10 {
		ten = strings.Replace(ten, "?", string(rune('0'+i)), 1)
	}
	for sent, want := range map[string]string{
		`{}`:                `{}`,
		`null`:              `{}`,
		`{"a":""}`:          `{"a":""}`,
		`{"z":"1","é":"2"}`: `{"z":"1","é":"2"}`,
		`{"b":"2","a":"1"}`: `{"a":"1","b":"2"}`,
		`{` + ten + `}`:     `{` + ten + `}`,
		`{"n":{"DataType":"Number","StringValue":"1.50"}}`:                 `{"n":{"DataType":"Number","StringValue":"1.50"}}`,
		`{"n":{"StringValue":"","DataType":"String.label"}}`:               `{"n":{"DataType":"String.label","StringValue":""}}`,
		`{"n":{"DataType":"Binary","BinaryValue":"AAEC/w=="}}`:             `{"n":{"DataType":"Binary","BinaryValue":"AAEC/w=="}}`,
		`{"n":{"DataType":"Binary.x","BinaryValue":""},"a":"plain"}`:       `{"a":"plain","n":{"DataType":"Binary.x","BinaryValue":""}}`,
		`{"n":{"DataType":"String","StringValue":"x","BinaryValue":null}}`: `{"n":{"DataType":"String","StringValue":"x"}}`,
	} {
		a := newAPI(t)
		a.must("POST", "/v1/queues", `{"name":"q"}`)
		a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"x","MessageAttributes":`+sent+`}`)
		r := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`)
		if !strings.Contains(r.body, `"Attributes":`+want+`,"ReceiptHandle"`) {
			t.Errorf("sent %s, received %s", sent, r.body)
		}
	}
}

func TestAttributesAreRefused(t *testing.T) {
	eleven := `{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":"","j":"","k":""}`
	shape := "must be a string, or an object with a DataType"
	for attributes, want := range map[string]string{
		`"x"`:                         "MessageAttributes must be a JSON object.",
		`[]`:                          "MessageAttributes must be a JSON object.",
		eleven:                        "MessageAttributes must have at most 10 attributes.",
		`{"":"x"}`:                    "MessageAttributes must name each attribute in 1 to 256 bytes.",
		`{"a":1}`:                     "MessageAttributes.a " + shape,
		`{"a":null}`:                  "MessageAttributes.a " + shape,
		`{"a":["x"]}`:                 "MessageAttributes.a " + shape,
		`{"a":{}}`:                    "MessageAttributes.a " + shape,
		`{"a":{"DataType":"String"}}`: "MessageAttributes.a " + shape,
		`{"a":{"StringValue":"x"}}`:   "MessageAttributes.a " + shape,
		`{"a":{"DataType":"Text","StringValue":"x"}}`:                      "MessageAttributes.a " + shape,
		`{"a":{"DataType":"String","BinaryValue":"AA=="}}`:                 "MessageAttributes.a " + shape,
		`{"a":{"DataType":"Binary","StringValue":"x"}}`:                    "MessageAttributes.a " + shape,
		`{"a":{"DataType":"Binary","BinaryValue":"no base64!"}}`:           "MessageAttributes.a.BinaryValue must be base64 with its padding",
		`{"a":{"DataType":"Binary","BinaryValue":"AA"}}`:                   "MessageAttributes.a.BinaryValue must be base64 with its padding",
		`{"a":{"DataType":"Binary","BinaryValue":"_-=="}}`:                 "MessageAttributes.a.BinaryValue must be base64 with its padding",
		`{"a":{"DataType":"Binary","BinaryValue":7}}`:                      "MessageAttributes.a " + shape,
		`{"a":{"DataType":"String","StringValue":"x","StringList":["y"]}}`: "MessageAttributes.a",
		`{"a":"1","a":"2"}`:                        "MessageAttributes.a must be given only once.",
		`{"` + strings.Repeat("n", 257) + `":"x"}`: "MessageAttributes must name each attribute in 1 to 256 bytes.",
	} {
		a := newAPI(t)
		single := a.do("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"x","MessageAttributes":`+attributes+`}`)
		batch := a.do("POST", "/v1/queue/q", `{"Action":"SendMessageBatch","Entries":[{"Id":"1","MessageBody":"x","MessageAttributes":`+attributes+`}]}`)
		for _, r := range []reply{single, batch} {
			if r.status != 400 || !strings.Contains(r.text("detail"), want) || len(a.node.commands) != 0 {
				t.Errorf("%s: %d %s, want %s", attributes, r.status, r.body, want)
			}
		}
		if !strings.HasPrefix(batch.text("detail"), "Entries[0].MessageAttributes") {
			t.Errorf("%s in a batch: %s", attributes, batch.body)
		}
	}
}
