package httpd

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func documentOf(t *testing.T) *checker {
	t.Helper()
	c, err := apiChecker()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDocumentIsValid: by the standard, and with examples that their own schemas allow.
func TestDocumentIsValid(t *testing.T) {
	c := documentOf(t)
	if err := c.doc.Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Error(err)
	}
}

func TestDocumentIsServed(t *testing.T) {
	a := newAPI(t)
	a.token = ""
	first, second := a.must("GET", "/openapi.json", ""), a.must("GET", "/openapi.json", "")
	if first.text("openapi") != "3.0.3" || first.body != second.body {
		t.Errorf("answered %.200s", first.body)
	}
}

// TestEveryRowIsDocumented: the tables and the document have the same operations.
func TestEveryRowIsDocumented(t *testing.T) {
	c := documentOf(t)
	documented := 0
	for _, item := range c.doc.Paths.Map() {
		documented += len(item.Operations())
	}
	for _, rt := range routes() {
		op, _, _ := c.find(rt.method, patternOf(rt.path))
		switch {
		case op == nil:
			t.Errorf("%s %s is not documented", rt.method, rt.path)
		case op.OperationID == "" || op.Summary == "" || op.Responses.Value(strconv.Itoa(rt.success)) == nil:
			t.Errorf("%s %s: operation %q, summary %q", rt.method, rt.path, op.OperationID, op.Summary)
		}
	}
	if documented != len(routes()) {
		t.Errorf("%d operations of %d rows", documented, len(routes()))
	}
	op, _, _ := c.find(http.MethodPost, "/v1/queue/q")
	for _, act := range actions() {
		known, err := actionOf(op, []byte(`{"Action":"`+act.name+`"}`))
		if err != nil || known == nil || c.doc.Components.Schemas[act.name] == nil {
			t.Errorf("%s is not documented: %v", act.name, err)
		}
	}
}

// TestCheckerFinds what tests must not let pass.
func TestCheckerFinds(t *testing.T) {
	c := documentOf(t)
	good := exchange{method: "GET", path: "/v1/queues/q", status: 200, header: http.Header{"Content-Type": {"application/json"}}, answer: []byte(
		`{"name":"q","message_count":0,"max_length":1,"visibility_timeout":30,"ready":0,"leased":0,"delayed":0,` +
			`"oldest_message_age":0,"created":"2027-01-15T08:00:00Z"}`)}
	if err := c.check(good); err != nil {
		t.Fatal(err)
	}
	refusal := `{"detail":"x","code":"CODE","request_id":"1","outcome":"not_applied"}`
	for name, wrong := range map[string]struct {
		change func(x *exchange)
		want   string
	}{
		"a field of the answer": {func(x *exchange) { x.answer = []byte(strings.Replace(string(x.answer), `{`, `{"color":"red",`, 1)) }, "color"},
		"a missing field":       {func(x *exchange) { x.answer = []byte(strings.Replace(string(x.answer), `"ready":0,`, "", 1)) }, "ready"},
		"a type":                {func(x *exchange) { x.answer = []byte(strings.Replace(string(x.answer), `"ready":0`, `"ready":"0"`, 1)) }, "integer"},
		"a time": {func(x *exchange) {
			x.answer = []byte(strings.Replace(string(x.answer), `2027-01-15T08`, `yesterday`, 1))
		}, "date-time"},
		"a status": {func(x *exchange) { x.status = 418 }, "418"},
		"a code": {func(x *exchange) {
			x.status, x.answer = 404, []byte(strings.Replace(refusal, "CODE", "user_not_found", 1))
		}, "user_not_found"},
		"a content type":           {func(x *exchange) { x.header = http.Header{"Content-Type": {"text/plain"}} }, "text/plain"},
		"a route":                  {func(x *exchange) { x.path = "/v1/secrets" }, "not documented"},
		"a method":                 {func(x *exchange) { x.method = "PUT" }, "not documented"},
		"a parameter":              {func(x *exchange) { x.path += "?color=red" }, "color"},
		"the value of a parameter": {func(x *exchange) { x.path += "?consistency=perhaps" }, "consistency"},
		"a body with a 204":        {func(x *exchange) { x.method, x.status = "DELETE", 204 }, "body"},
		"a field of a strict request": {func(x *exchange) {
			*x = actionExchange(`{"Action":"DeleteMessageBatch","Color":1,"Entries":[{"Id":"a","ReceiptHandle":"x"}]}`, `{"Successful":[],"Failed":[]}`)
		}, "Color"},
		"a value out of range": {func(x *exchange) {
			*x = actionExchange(`{"Action":"ReceiveMessage","MaxNumberOfMessages":11}`, `{"Messages":[]}`)
		}, "MaxNumberOfMessages"},
		"the answer to another Action": {func(x *exchange) {
			*x = actionExchange(`{"Action":"SendMessage","MessageBody":"x"}`, `{"message":"Message deleted successfully"}`)
		}, `"message" is unsupported`},
		"a code of another Action": {func(x *exchange) {
			*x = actionExchange(`{"Action":"ReceiveMessage"}`, strings.Replace(refusal, "CODE", "queue_full", 1))
			x.status = 429
		}, "queue_full"},
	} {
		t.Run(name, func(t *testing.T) {
			x := good
			wrong.change(&x)
			if err := c.check(x); err == nil || !strings.Contains(err.Error(), wrong.want) {
				t.Errorf("found %v, want something about %s", err, wrong.want)
			}
		})
	}
	tolerant := actionExchange(`{"Action":"SendMessage","MessageBody":"x","Color":1}`, `{"MessageId":"1","status":"sent"}`)
	if err := c.check(tolerant); err != nil {
		t.Errorf("a field that is ignored: %v", err)
	}
}

func actionExchange(request, answer string) exchange {
	return exchange{method: "POST", path: "/v1/queue/q", request: []byte(request), status: 200,
		header: http.Header{"Content-Type": {"application/json"}}, answer: []byte(answer)}
}

// TestHarnessChecks: a handler that answers more than is documented fails the test that calls it.
func TestHarnessChecks(t *testing.T) {
	table := routes()
	at := slices.IndexFunc(table, func(rt route) bool { return rt.path == "/livez" })
	table[at].handler = func(*Server, context.Context, *request) (any, error) {
		return map[string]string{"status": "alive", "color": "red"}, nil
	}
	failed := &failing{TB: t}
	a := newAPIWith(t, table)
	a.t, a.undocumented = failed, false
	a.do("GET", "/livez", "")
	if !failed.failed {
		t.Error("an undocumented field was let pass")
	}
}

// failing is a test that notes its failure instead of failing.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }

// TestUndescribedTypesAreFaults: a field that nobody described does not come into the document unnoticed.
func TestUndescribedTypesAreFaults(t *testing.T) {
	type secret struct {
		Hidden string `json:"hidden"`
	}
	table := []route{{"GET", "/secret", public, read, 200, (*Server).livez, func() documentation { return documentation{id: "x", answer: secret{}} }}}
	if _, err := describe(table, nil); err == nil || !strings.Contains(err.Error(), "hidden of httpd.secret is not described") {
		t.Errorf("describe: %v", err)
	}
}

// TestStrictRequestsAreDocumentedAsStrict: every operation with a body is asked with a field that does not exist.
func TestStrictRequestsAreDocumentedAsStrict(t *testing.T) {
	a := newStateAPI(t)
	a.undocumented = true
	for _, rt := range routes() {
		d := rt.doc()
		if d.request == nil {
			continue
		}
		path := strings.NewReplacer(":name", "x", ":id", "1").Replace(rt.path)
		r := a.do(rt.method, path, `{"no_such_field":1}`)
		if refused := strings.Contains(r.body, "no_such_field is not a field"); refused != d.strict {
			t.Errorf("%s %s: documented as strict: %v; answers %s", rt.method, rt.path, d.strict, r.body)
		}
	}
	for _, act := range actions() {
		d := act.doc()
		r := a.do("POST", "/v1/queue/q", `{"Action":"`+act.name+`","no_such_field":1}`)
		if refused := strings.Contains(r.body, "no_such_field is not a field"); refused != d.strict {
			t.Errorf("%s: documented as strict: %v; answers %s", act.name, d.strict, r.body)
		}
	}
}

// TestParametersAreThoseOfTheHandlers: every operation that takes parameters names them when it gets another one.
func TestParametersAreThoseOfTheHandlers(t *testing.T) {
	a := newStateAPI(t)
	for _, rt := range routes() {
		var documented []string
		for _, p := range rt.doc().parameters {
			if p.In == "query" {
				documented = append(documented, p.Name)
			}
		}
		if len(documented) == 0 || rt.path == "/metrics" { // which ignores others
			continue
		}
		path := strings.NewReplacer(":name", "x", ":id", "1").Replace(rt.path)
		r := a.do(rt.method, path+"?no_such=1", "")
		_, list, ok := strings.Cut(strings.TrimSuffix(r.text("detail"), "."), "it has ")
		known := strings.Split(list, ", ")
		slices.Sort(known)
		slices.Sort(documented)
		if !ok || !slices.Equal(known, documented) {
			t.Errorf("%s %s: documented %v, answers %s", rt.method, rt.path, documented, r.body)
		}
	}
}

// TestExamplesOfTheFirstDocument: what clients were promised once is still documented.
func TestExamplesOfTheFirstDocument(t *testing.T) {
	text, err := os.ReadFile("testdata/api-v1.txt")
	if err != nil {
		t.Fatal(err)
	}
	c := documentOf(t)
	_, examples, _ := strings.Cut(string(text), "\n\n")
	lines := strings.Split(strings.TrimRight(examples, "\n"), "\n")
	n := 0
	for ; len(lines) >= 4; n++ {
		method, path, _ := strings.Cut(lines[0], " ")
		status, err := strconv.Atoi(lines[2])
		if err != nil {
			t.Fatalf("status of %s: %v", lines[0], err)
		}
		x := exchange{method: method, path: path, request: []byte(lines[1]), status: status,
			header: http.Header{"Content-Type": {"application/json"}}, answer: []byte(lines[3])}
		if err := c.check(x); err != nil {
			t.Error(err)
		}
		lines = lines[min(5, len(lines)):]
	}
	if n != 12 {
		t.Errorf("%d examples", n)
	}
	for _, refusal := range []string{`{"detail": "Queue not found."}`, `{"detail": "Queue with the given name already exists."}`} {
		var body map[string]string
		known := []string{meaningOf("queue_not_found").detail, meaningOf("queue_exists").detail}
		if err := json.Unmarshal([]byte(refusal), &body); err != nil || !slices.Contains(known, body["detail"]) {
			t.Errorf("%s is no detail of ours: %v", refusal, err)
		}
	}
}
