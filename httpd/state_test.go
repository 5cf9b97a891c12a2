package httpd

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// stateNode is a Node with the real state machine in memory behind it, and its virtual time.
type stateNode struct {
	*fakeNode
	fsm   *fsm.FSM
	index uint64
	lose  error // in place of the result of a command that was applied
}

// newStateAPI is newAPI on a stateNode; the caller is its admin.
func newStateAPI(t *testing.T) *api {
	t.Helper()
	return newStateAPIWith(t, Config{})
}

func newStateAPIWith(t *testing.T, cfg Config) *api {
	t.Helper()
	f, err := fsm.Open("state", fsm.Options{FS: vfs.NewMem(), Fatal: func(err error) { t.Fatal(err) }})
	if err != nil {
		t.Fatal(err)
	}
	fake := newFakeNode()
	n := &stateNode{fakeNode: fake, fsm: f}
	a := &api{t: t, node: fake, server: newServer(cfg, n, routes())}
	if _, err := n.Propose(t.Context(), &fsmpb.Command{Op: &fsmpb.Command_InitCluster{InitCluster: &fsmpb.InitCluster{
		Cluster: &fsmpb.Cluster{Id: "c"}, SigningKey: &fsmpb.SigningKey{Id: "k"}, AdminName: "admin", Member: &fsmpb.Member{Id: "n"},
	}}}); err != nil {
		t.Fatal(err)
	}
	a.token = a.adminToken()
	return a
}

func (n *stateNode) Propose(_ context.Context, c *fsmpb.Command) (*fsmpb.Result, error) {
	command, err := proto.Marshal(c)
	if err != nil {
		return nil, err
	}
	entry, err := proto.Marshal(&fsmpb.Entry{NowMs: n.fakeNode.Now().UnixMilli(), Commands: [][]byte{command}})
	if err != nil {
		return nil, err
	}
	n.index++
	result := n.fsm.Apply(&raft.Log{Index: n.index, Term: 1, Type: raft.LogCommand, Data: entry}).([]*fsmpb.Result)[0]
	if n.lose != nil {
		return nil, n.lose
	}
	return result, nil
}

func (n *stateNode) Now() time.Time {
	return time.UnixMilli(max(n.fakeNode.Now().UnixMilli(), n.fsm.Now()))
}

func (n *stateNode) Receive(ctx context.Context, c *fsmpb.Command, _ time.Duration) (*fsmpb.Result, error) {
	result, err := n.Propose(ctx, c)
	if err == nil {
		n.fsm.FillMessages(result.GetReceive())
	}
	return result, err
}

func (n *stateNode) Read(_ context.Context, q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	if _, ok := q.Op.(*fsmpb.Query_GetKeys); ok { // they are the fake's
		return n.fakeNode.Read(context.Background(), q)
	}
	if n.err != nil {
		return nil, n.err
	}
	return n.fsm.Query(q), nil
}

func (n *stateNode) ReadStale(q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	if n.staleErr != nil {
		return nil, n.staleErr
	}
	return n.fsm.Query(q), nil
}

// handle takes the handle out of the only message of a receive.
func handle(t *testing.T, r reply) string {
	t.Helper()
	messages := r.fields["Messages"].([]any)
	if len(messages) != 1 {
		t.Fatalf("%d messages in %s", len(messages), r.body)
	}
	return messages[0].(map[string]any)["ReceiptHandle"].(string)
}

func TestQueueDetailsAndPurge(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.expect("GET", "/v1/queues/q", "", 200, `{"name":"q","message_count":0,"max_length":10000,"visibility_timeout":30,`+
		`"ready":0,"leased":0,"delayed":0,"oldest_message_age":0,"created":"2027-01-15T08:00:00Z"}`)
	a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"a"}`)
	a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"b"}`)
	a.must("POST", "/v1/queue/q", `{"Action":"SendMessage","MessageBody":"c","DelaySeconds":60}`)
	h := handle(t, a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`))
	a.node.advance(7 * time.Second)
	a.expect("GET", "/v1/queues/q", "", 200, `{"name":"q","message_count":3,"max_length":10000,"visibility_timeout":30,`+
		`"ready":1,"leased":1,"delayed":1,"oldest_message_age":7,"created":"2027-01-15T08:00:00Z"}`)
	a.expect("POST", "/v1/queues/q/purge", "", 200, `{"name":"q","message_count":0,"max_length":10000,"visibility_timeout":30}`)
	a.expectError(a.do("POST", "/v1/queue/q", fmt.Sprintf(`{"Action":"DeleteMessage","ReceiptHandle":%q}`, h)), 404, fsm.CodeMessageNotFound)
	a.expectError(a.do("POST", "/v1/queues/nowhere/purge", ""), 404, fsm.CodeQueueNotFound)
	a.expectError(a.do("GET", "/v1/queues/nowhere", ""), 404, fsm.CodeQueueNotFound)
}

func TestVisibilityIsChanged(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queue/q", testSend)
	change := func(h, seconds string) string {
		return fmt.Sprintf(`{"Action":"ChangeMessageVisibility","ReceiptHandle":%q,"VisibilityTimeout":%s}`, h, seconds)
	}
	h := handle(t, a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`))
	a.expect("POST", "/v1/queue/q", change(h, "60"), 200, `{"message":"Visibility timeout changed successfully"}`)
	a.node.advance(59 * time.Second)
	a.expect("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`, 200, `{"Messages":[]}`)
	a.must("POST", "/v1/queue/q", change(h, "0"))
	a.expectError(a.do("POST", "/v1/queue/q", change(h, "10")), 409, fsm.CodeMessageNotLeased)
	newer := handle(t, a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`))
	a.expectError(a.do("POST", "/v1/queue/q", change(h, "10")), 404, fsm.CodeReceiptSuperseded)
	a.expect("POST", "/v1/queue/q", fmt.Sprintf(`{"Action":"ChangeMessageVisibilityBatch","Entries":[`+
		`{"Id":"a","ReceiptHandle":%q,"VisibilityTimeout":5},{"Id":"b","ReceiptHandle":%q,"VisibilityTimeout":5}]}`, newer, h), 200,
		`{"Successful":[{"Id":"a"}],"Failed":[{"Id":"b","Code":"receipt_superseded","Message":"Message not found under this receipt handle: the message was received again since; use the newer handle."}]}`)
	for body, want := range map[string]string{
		change(h, "43201"): "VisibilityTimeout must be a whole number from 0 to 43200.",
		`{"Action":"ChangeMessageVisibility","ReceiptHandle":"x"}`:                "VisibilityTimeout must be given",
		`{"Action":"ChangeMessageVisibility","VisibilityTimeout":1}`:              "ReceiptHandle must be",
		`{"Action":"ChangeMessageVisibility","ReceiptHandle":"x","Visibility":1}`: "the nearest one is VisibilityTimeout",
	} {
		if r := a.do("POST", "/v1/queue/q", body); r.status != 400 || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %s, want %q", body, r.status, r.body, want)
		}
	}
}

func TestSystemAttributesComeOnlyWhenAskedFor(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q","visibility_timeout":1}`)
	a.must("POST", "/v1/queue/q", testSend)
	if r := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`); strings.Contains(r.body, "SystemAttributes") {
		t.Errorf("nobody asked: %s", r.body)
	}
	a.node.advance(2 * time.Second)
	r := a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","SystemAttributeNames":["All"]}`)
	got := r.fields["Messages"].([]any)[0].(map[string]any)["SystemAttributes"].(map[string]any)
	want := map[string]any{"ApproximateReceiveCount": "2", "SentTimestamp": "1800000000000", "ApproximateFirstReceiveTimestamp": "1800000000000"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if r := a.do("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","SystemAttributeNames":["SentTime"]}`); r.status != 400 || !strings.Contains(r.body, "SentTimestamp") {
		t.Errorf("an unknown name: %d %s", r.status, r.body)
	}
}

func TestOneRequestDeletesAndReceives(t *testing.T) {
	a := newStateAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queue/q", testSend)
	a.must("POST", "/v1/queue/q", testSend)
	h := handle(t, a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`))
	r := a.must("POST", "/v1/queue/q", fmt.Sprintf(`{"Action":"ReceiveMessage","DeleteReceiptHandles":[%q]}`, h))
	next := handle(t, r)
	if want := fmt.Sprintf(`"DeleteResults":[{"ReceiptHandle":%q,"Deleted":true}]`, h); !strings.Contains(r.body, want) {
		t.Errorf("got %s, want %s", r.body, want)
	}
	a.expect("POST", "/v1/queue/q", fmt.Sprintf(`{"Action":"ReceiveMessage","DeleteReceiptHandles":[%q,%q,"made up"]}`, next, h), 200,
		fmt.Sprintf(`{"Messages":[],"DeleteResults":[{"ReceiptHandle":%q,"Deleted":true},`+
			`{"ReceiptHandle":%q,"Deleted":false,"Code":"message_not_found","Message":"Message not found: it was deleted before."},`+
			`{"ReceiptHandle":"made up","Deleted":false,"Code":"message_not_found","Message":"Message not found: this is not a receipt handle of this queue."}]}`, next, h))
	a.expectError(a.do("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","DeleteReceiptHandles":["","","","","","","","","","",""]}`), 400, fsm.CodeInvalid)
}
