package httpd

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
)

// TestReceiveHasTimeToWait: the node gets the wait, and the time for the request on top of it.
func TestReceiveHasTimeToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.must("POST", "/v1/queues", `{"name":"q"}`)
		for body, want := range map[string]time.Duration{
			`{"Action":"ReceiveMessage"}`:                        0,
			`{"Action":"ReceiveMessage","WaitTimeSeconds":0}`:    0,
			`{"Action":"ReceiveMessage","WaitTimeSeconds":20}`:   20 * time.Second,
			`{"Action":"ReceiveMessage","WaitTimeSeconds":null}`: 0,
		} {
			a.node.onReceive = func(ctx context.Context, wait time.Duration) {
				deadline, ok := ctx.Deadline()
				if left := time.Until(deadline); !ok || wait != want || left != want+requestTime {
					t.Errorf("%s: wait %v, time left %v", body, wait, left)
				}
			}
			a.must("POST", "/v1/queue/q", body)
		}
	})
}

func TestReceivePassesItsSettings(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`)
	c := a.node.commands[1].GetReceiveMessage()
	if c.Max != 1 || c.VisibilityTimeoutS != nil || c.Queue != "q" {
		t.Errorf("defaults: %v", c)
	}
	a.must("POST", "/v1/queue/q", `{"Action":"ReceiveMessage","MaxNumberOfMessages":10,"VisibilityTimeout":0}`)
	if c = a.node.commands[2].GetReceiveMessage(); c.Max != 10 || c.VisibilityTimeoutS == nil || *c.VisibilityTimeoutS != 0 {
		t.Errorf("given: %v", c)
	}
	if p := a.node.commands[2].GetPrincipal(); p.GetName() != testUser || p.GetUser() != 1 || p.GetVersion() != 1 {
		t.Errorf("principal: %v", p)
	}
}

// TestMessagesOfAGoneClientAreReleased: the client went while the messages were on their way to it.
func TestMessagesOfAGoneClientAreReleased(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queue/q", testSend)
	a.must("POST", "/v1/queue/q", testSend)
	ctx, cancel := context.WithCancel(t.Context())
	a.node.onReceive = func(context.Context, time.Duration) { cancel() }
	r := httptest.NewRequest("POST", "/v1/queue/q", strings.NewReader(`{"Action":"ReceiveMessage","MaxNumberOfMessages":2}`))
	r.Header.Set("Authorization", "Bearer "+a.token)
	a.expectError(a.send(r.WithContext(ctx)), 503, cluster.CodeTimeout)
	released := a.node.commands[len(a.node.commands)-1].GetReleaseMessage().GetReceipts()
	if len(released) != 2 || released[0].Sequence != 1 || released[1].Delivery != 1 || released[0].Queue != a.node.queues["q"].id {
		t.Errorf("released %v", released)
	}
}

func TestDamagedContentIsAnInternalError(t *testing.T) {
	a := newAPI(t)
	a.must("POST", "/v1/queues", `{"name":"q"}`)
	a.must("POST", "/v1/queue/q", testSend)
	a.node.queues["q"].messages[0].content = []byte{0xff}
	r := a.expectError(a.do("POST", "/v1/queue/q", `{"Action":"ReceiveMessage"}`), 500, codeInternal)
	if r.text("outcome") != "unknown" {
		t.Errorf("outcome of a receive that took a message: %s", r.body)
	}
}
