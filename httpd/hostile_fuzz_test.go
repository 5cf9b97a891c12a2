package httpd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// The fuzz targets send requests through the whole handler to the real state machine in memory. Whatever comes, the answer
// is one of the API's and the memory that it costs is bounded by the request.

// remoteNode is a stateNode whose queries are encoded, as they are on their way to the leader.
type remoteNode struct{ *stateNode }

func (n remoteNode) Read(ctx context.Context, q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	b, err := proto.Marshal(q)
	if err != nil {
		return nil, err
	}
	sent := &fsmpb.Query{}
	if err := proto.Unmarshal(b, sent); err != nil {
		return nil, err
	}
	result, err := n.stateNode.Read(ctx, sent)
	if u := result.GetUser(); u != nil && u.PasswordHash == "" { // the harness's admin has none, as no user of a cluster
		result = proto.CloneOf(result)
		result.GetUser().PasswordHash = cheapHash
	}
	return result, err
}

// cheapHash is a password hash of the lowest cost.
const cheapHash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5a2V5"

// hostileAPI is a server that is made anew now and then, so that what the requests leave behind does not add up.
type hostileAPI struct {
	*api
	published func() (publication, error)
	used      int
}

// published makes the API's document before the requests are measured, which else the first of them would pay for.
func published(f *testing.F) func() (publication, error) {
	f.Helper()
	p := publish(routes(), actions())
	if _, err := p(); err != nil {
		f.Fatal(err)
	}
	return p
}

// lifeOfHostileAPI is how many requests one state sees.
const lifeOfHostileAPI = 200

// members are enough for every request: the fake's leadership can only be handed over where there are two.
func members() []string { return []string{"n1", "n2", "n3"} }

func (h *hostileAPI) renew(t *testing.T) {
	if h.used++; h.used%lifeOfHostileAPI != 1 {
		h.t = t
		h.node.members = members()
		return
	}
	if h.api != nil {
		if err := h.server.node.(remoteNode).fsm.Close(); err != nil {
			panic(err)
		}
	}
	h.api = newStateAPI(t)
	h.node.members = members()
	h.server.node = remoteNode{h.server.node.(*stateNode)}
	h.must("POST", "/v1/queues", `{"name":"q","max_length":20,"visibility_timeout":1}`)
	h.must("POST", "/v1/queue/q", testSend)
	h.must("POST", "/v1/auth/api-keys", `{"name":"k"}`)
	h.server.published = h.published
}

// allowance is what a request may allocate beside its own size: its share of the state machine's and of the test's work.
const allowance = 1 << 20

// hashing is what checking or making a password takes, in this and in one that ends just then.
const hashing = 48 << 20

// try sends a request and checks its answer.
func (h *hostileAPI) try(t *testing.T, r *http.Request, size int, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.server.Handler().ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	bound := uint64(allowance + 64*size)
	if strings.Contains(r.URL.Path, "/auth/") {
		bound += hashing
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > bound {
		t.Errorf("%s %s: %d bytes were allocated for a request of %d", r.Method, r.URL, used, size)
	}
	checkAnswer(t, r, w, body)
	return w
}

// checkAnswer checks what every answer has to be.
func checkAnswer(t *testing.T, r *http.Request, w *httptest.ResponseRecorder, body []byte) {
	t.Helper()
	if w.Code >= 500 || w.Code < 200 {
		t.Fatalf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
	}
	if w.Header().Get("X-Request-Id") == "" {
		t.Errorf("%s %s: an answer without X-Request-Id", r.Method, r.URL)
	}
	checkDocumented(t, r, w, body)
	if w.Code < 400 || r.Method == http.MethodHead {
		return
	}
	var e errorBody
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Detail == "" || e.Code == "" || e.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("%s %s: %d %s is no answer of the API: %v", r.Method, r.URL, w.Code, w.Body, err)
	}
	if e.Outcome == outcomeUnknown {
		t.Errorf("%s %s: %s, but nothing was proposed", r.Method, r.URL, w.Body)
	}
	if w.Body.Len() > 2<<10 {
		t.Errorf("%s %s: an error of %d bytes", r.Method, r.URL, w.Body.Len())
	}
}

// checkDocumented holds an answer against the API's document. A path that only looks like one of the document's is none.
func checkDocumented(t *testing.T, r *http.Request, w *httptest.ResponseRecorder, body []byte) {
	t.Helper()
	c, err := apiChecker()
	if err != nil {
		t.Fatal(err)
	}
	x := exchange{r.Method, r.URL.RequestURI(), body, w.Code, w.Header(), w.Body.Bytes()}
	op, _, _ := c.find(r.Method, r.URL.EscapedPath())
	if op == nil {
		err = c.checkNowhere(x)
	} else {
		err = c.checkAnswer(op, x)
	}
	if err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
}

// writeRoutes are the rows of the route table that read a body, with names in their paths.
func writeRoutes() (targets [][2]string) {
	for _, rt := range routes() {
		if rt.kind == write {
			targets = append(targets, [2]string{rt.method, strings.NewReplacer(":name", "q", ":id", "1").Replace(rt.path)})
		}
	}
	return targets
}

// hostileBodies are broken, deep, doubled, huge and misleading.
func hostileBodies() []string {
	bodies := []string{
		"", "null", "[]", `"x"`, "{", "{}", "{}{}", "\x00", "\xff\xfe{}", "\xef\xbb\xbf{}", `{"Action":1}`, `{"Action":null}`, `{"":{}}`,
		strings.Repeat("[", 500), strings.Repeat(`{"a":`, 500), `{"Action":"SendMessage","MessageBody":` + strings.Repeat("[", 500),
		`{"Action":"SendMessage","MessageBody":"\ud800"}`, "{\"Action\":\"SendMessage\",\"MessageBody\":\"a\xffb\"}",
		`{"Action":"SendMessage","MessageBody":"\u0000","DelaySeconds":1e400}`,
		`{"Action":"SendMessage","MessageBody":"x","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AA=\n="}}}`,
		`{"Action":"SendMessage","MessageBody":"x","MessageAttributes":{"a":"1","b":{"DataType":"Number","StringValue":"1e999999"}}}`,
		`{"Action":"SendMessageBatch","Entries":[{"Id":"1","MessageBody":"x"},{"Id":"1","MessageBody":"y"}]}`,
		`{"Action":"SendMessageBatch","Entries":[null,{},{"Id":"` + strings.Repeat("é", 100) + `"}]}`,
		`{"Action":"ReceiveMessage","MaxNumberOfMessages":99999999999999999999,"WaitTimeSeconds":-1}`,
		`{"Action":"ReceiveMessage","VisibilityTimeout":0,"MaxNumberOfMessages":10,"SystemAttributeNames":["All","All"]}`,
		`{"Action":"ReceiveMessage","DeleteReceiptHandles":["","\u0000",null]}`,
		`{"Action":"DeleteMessage","ReceiptHandle":"0\r\r\r0000000\n\n\n\n\n\n0000000\r\r\r\r\r000000000"}`,
		`{"Action":"DeleteMessageBatch","Entries":[{"Id":"1","ReceiptHandle":"AAAAAAAAAAEAAAAAAAAAAQAAAAEAAAAAAAAAAA"}]}`,
		`{"Action":"ChangeMessageVisibility","ReceiptHandle":"x","VisibilityTimeout":-0}`,
		`{"Action":"ChangeMessageVisibilityBatch","Entries":[{"Id":"1","ReceiptHandle":"x","VisibilityTimeout":43201}]}`,
		`{"name":"../q","max_length":1.0,"visibility_timeout":1e1}`, `{"name":"q2.fifo"}`, `{"name":"n","max_length":18446744073709551616}`,
		`{"username":"a\u202eb","password":"correct horse"}`, `{"username":"admin","password":"` + strings.Repeat("p", 2000) + `"}`,
		`{"username":"admin","old_password":"","new_password":"\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000"}`,
		`{"refresh_token":"..\n"}`, `{"refresh_token":"eyJhbGciOiJub25lIn0.e30."}`,
		`{"name":"k","expires_in_days":4294967297}`, `{"name":"\u2028"}`, `{"role":"admin\u0000"}`, `{"role":"user"}`, `{"name":"n1/../n2"}`,
	}
	return bodies
}

// FuzzBody gives every route that reads a body any body.
func FuzzBody(f *testing.F) {
	targets := writeRoutes()
	for i, b := range hostileBodies() {
		if strings.Contains(b, "Action") {
			for j, target := range targets {
				if target[1] == "/v1/queue/q" {
					f.Add(uint8(j), []byte(b))
				}
			}
			continue
		}
		for j := range targets {
			if (i+j)%4 == 0 {
				f.Add(uint8(j), []byte(b))
			}
		}
	}
	h := &hostileAPI{published: published(f)}
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		h.renew(t)
		target := targets[int(route)%len(targets)]
		r := httptest.NewRequest(target[0], target[1], strings.NewReader(string(body)))
		r.Header.Set("Authorization", "Bearer "+h.adminToken())
		h.try(t, r, len(body), body)
		h.node.advance(time.Second)
	})
}

// FuzzTarget gives the router, the path and the query parameters any text. Only what HTTP itself refuses does not arrive.
func FuzzTarget(f *testing.F) {
	for _, target := range []string{
		"/v1/queue/q", "/v1/queue/a%2fb", "/v1/queue/%00", "/v1/queue/%ff", "/v1/queue/..%2f..%2fetc", "/v1/queue/" + strings.Repeat("%41", 100), "/v1/queue/",
		"/v1/queues?limit=1&after=%ff", "/v1/queues?limit=0", "/v1/queues?limit=99999999999999999999", "/v1/queues?limit=1&limit=2", "/v1/queues?after=%",
		"/v1/queues?consistency=stale&consistency=", "/v1/queues?;", "/v1/queues?a=%zz", "/v1/queues/q?consistency=linearizable", "/v1/queues/%71",
		"/v1/auth/api-keys?username=%00&limit=1000", "/v1/auth/api-keys/18446744073709551616", "/v1/auth/api-keys/-1", "/v1/auth/users?limit=1", "/v1/auth/users/a%0ab",
		"/v1/cluster/members/%2e%2e", "/v1/cluster/join-tokens/%0d%0aX:1", "/v1/cluster", "/metrics?queue=*", "/metrics?queue=[", "/metrics?queue=" + strings.Repeat("*", 200) + "b",
		"/metrics?queue=a&queue=%ff", "//v1//queues", "/v1/../v1/queues", "/V1/QUEUES", "/v1/queues/", "http://other/v1/queues", "*", "/livez?x=1", "/openapi.json", "/docs", "/readyz",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			f.Add(method, target)
		}
	}
	f.Add("PATCH", "/v1/queues/q")
	f.Add("CONNECT", "a:1")
	f.Add("HEAD", "/v1/queues?limit=1")
	f.Add("PRI", "*")
	h := &hostileAPI{published: published(f)}
	f.Fuzz(func(t *testing.T, method, target string) {
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, target)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if err != nil || len(head) > 32<<10 || len(r.Header) > 0 {
			return
		}
		h.renew(t)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Authorization", "Bearer "+h.adminToken())
		h.try(t, r, len(head), nil)
	})
}

// FuzzHeaders gives the headers that say who asks any text. Only the one token and the one key that exist open a door.
func FuzzHeaders(f *testing.F) {
	h, token := &hostileAPI{published: published(f)}, newAPI(f).adminToken()
	key := strings.Repeat("A", 43)
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Bearer  ", "bearer " + token, "Bearer " + token + " ", "Bearer " + token + "x", "Bearer " + token[:len(token)-1], "Basic YTpi",
		"Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer " + strings.Repeat("a.", 5000), "Bearer fqk_", "Bearer fqk_" + key, "Bearer fqk_" + key + "A", "Local x", "Local",
		"Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6IigifQ.e30.AAAA", "Bearer ...", "Bearer \xff\x00", "Bearer " + strings.Repeat("=", 43),
	} {
		f.Add(authorization, "", "")
		f.Add(authorization, "fqk_"+key, "id")
	}
	f.Add("", "fqk_"+key[:42], "\xff")
	f.Add("", token, strings.Repeat("x", 200))
	valid := func(keys *fsmpb.Keys, text string) bool {
		_, err := auth.ParseAccess(authKeys(keys), text, h.node.Now())
		return err == nil
	}
	f.Fuzz(func(t *testing.T, authorization, apiKey, id string) {
		h.renew(t)
		r := httptest.NewRequest("GET", "/v1/queues", nil)
		for name, value := range map[string]string{"Authorization": authorization, "X-Api-Key": apiKey, "X-Request-Id": id} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := h.try(t, r, len(authorization)+len(apiKey)+len(id), nil)
		_, text, _ := strings.Cut(authorization, " ")
		if w.Code == 200 && !valid(h.node.keys, strings.TrimSpace(text)) {
			t.Errorf("%q and %q opened a door", authorization, apiKey)
		}
		if got := w.Header().Get("X-Request-Id"); strings.ContainsFunc(got, isUnseen) || len(got) > maxRequestIDBytes {
			t.Errorf("the request id %q is given back as %q", id, got)
		}
	})
}
