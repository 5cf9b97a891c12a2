package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// pauseAfterFailure keeps a closed loop from spinning against a node that is down.
const pauseAfterFailure = 20 * time.Millisecond

// worker is one client with one request under way at a time.
type worker struct {
	*Load
	number int
	api    *client.Client
	random *rand.Rand
	how    []client.SendOption
	once   func(context.Context) // does something
	keyed  []keyedSend           // that may be made again
}

func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		w.once(ctx)
		if beat := w.o.Beat; beat > 0 {
			nodes.Pause(ctx, beat-time.Since(w.begin)%beat)
		}
	}
}

// plain sends, or receives and deletes.
func (w *worker) plain(ctx context.Context) {
	if w.random.IntN(2) == 0 {
		w.send(ctx, mainQueue, 0)
		return
	}
	for _, d := range w.receive(ctx, mainQueue, receiving{max: 1 + w.random.IntN(client.MaxBatch), lease: Lease}) {
		w.delete(ctx, d)
	}
}

// request carries out one request. It is not cut short when the load stops, so that its outcome is known.
func (w *worker) request(ctx context.Context, do func(context.Context) error) (history.Span, error) {
	w.underWay.Add(1)
	defer w.underWay.Add(-1)
	return w.poll(ctx, do)
}

// poll is request for one that waits for messages, which does not count as under way.
func (w *worker) poll(ctx context.Context, do func(context.Context) error) (history.Span, error) {
	span := history.Span{Start: time.Now()}
	err := do(context.WithoutCancel(ctx))
	span.End = time.Now()
	if err != nil {
		nodes.Pause(ctx, pauseAfterFailure)
	}
	return span, err
}

// expected are the codes of refusals that a valid request may get because of what others do.
type expected map[string]bool

// gone are those of requests that name a message.
func gone() expected {
	return expected{client.CodeMessageNotFound: true, client.CodeReceiptSuperseded: true, client.CodeMessageNotLeased: true}
}

// answerOf tells what an error says of the effect of a request, and the code of a refusal. All requests are valid: a refusal
// other than "not now" and the expected ones must not be.
func (w *worker) answerOf(what string, err error, expected expected) (history.Answer, string) {
	if err == nil {
		return history.OK, ""
	}
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok:
		w.history.AddFinding(history.Odd, what+": "+err.Error())
		return history.Unknown, ""
	case e.Outcome == client.Unknown:
		w.o.Note("%s, %s after the load began: %v", what, time.Since(w.begin).Round(time.Millisecond), err)
		return history.Unknown, e.Code
	case !expected[e.Code] && !notNow(e):
		w.history.AddFinding(history.Odd, what+": "+err.Error())
	}
	return history.Refused, e.Code
}

// notNow says whether a refusal means that the cluster can't at the moment.
func notNow(e *client.Error) bool {
	return e.Status == 0 || e.Status == http.StatusServiceUnavailable || e.Code == client.CodeDiskLow
}
