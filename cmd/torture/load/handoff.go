package load

import (
	"context"
	"fmt"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
)

// handoff sends through one node and receives or looks through another at once, in a queue that nobody else uses. The history's
// checks say whether what was received is what had to be there. After a request that failed, whose effect nobody knows, it goes
// on in a new queue: so it always knows how many messages its queue holds.
type handoff struct {
	*worker
	queue string
	holds int // messages
	used  int // queues so far
}

func (h *handoff) once(ctx context.Context) {
	from, to := h.pick()
	if h.queue == "" && !h.newQueue(ctx, to) {
		return
	}
	known := h.sendThrough(ctx, from, h.queue, 0).Answer == history.OK
	h.holds++
	if known && h.random.IntN(3) == 0 {
		h.look(ctx, to)
	}
	if !known || !h.take(ctx, to) {
		h.queue = ""
	}
}

// look reads how many messages the queue holds. A read that fails says nothing.
func (h *handoff) look(ctx context.Context, api *client.Client) {
	var q client.QueueDetails
	span, err := h.request(ctx, func(ctx context.Context) (err error) {
		q, err = api.Queue(ctx, h.queue)
		return err
	})
	answer, code := h.answerOf("read", err, expected{client.CodeQueueNotFound: true})
	if answer == history.OK && q.MessageCount != int64(h.holds) || code == client.CodeQueueNotFound {
		h.history.AddFinding(history.Stale, fmt.Sprintf("%s holds %d messages, and %s it was read to hold %d %s", h.queue, h.holds, span, q.MessageCount, code))
	}
}

// take receives and deletes, and says whether it is known what became of everything.
func (h *handoff) take(ctx context.Context, api *client.Client) bool {
	got, ok := h.tryReceive(ctx, h.queue, receiving{max: client.MaxBatch, lease: handoffLease, api: api})
	for _, d := range got {
		if h.deleteThrough(ctx, api, d) != history.OK {
			ok = false
		}
		h.holds--
	}
	return ok
}

// pick chooses two nodes that run, different ones if there are. Through a halted node it receives: what that answers as soon as
// it goes on is what it has missed.
func (h *handoff) pick() (from, to *client.Client) {
	var up []*client.Client
	for i, n := range h.nodes {
		switch {
		case n.Halted():
			to = h.single[i]
		case n.Running():
			up = append(up, h.single[i])
		}
	}
	if len(up) == 0 {
		up = h.single
	}
	i := h.random.IntN(len(up))
	if to == nil {
		to = up[(i+1+h.random.IntN(max(1, len(up)-1)))%len(up)]
	}
	return up[i], to
}

// newQueue makes the next queue. One of which nobody knows whether it was made is given up.
func (h *handoff) newQueue(ctx context.Context, api *client.Client) bool {
	h.used++
	name := fmt.Sprintf("handoff-%d-%d", h.number, h.used)
	_, err := h.request(ctx, func(ctx context.Context) error {
		_, err := api.CreateQueue(ctx, name, client.QueueSettings{VisibilityTimeout: int64(handoffLease.Seconds())})
		return err
	})
	if answer, _ := h.answerOf("create queue", err, nil); answer != history.OK {
		return false
	}
	h.queue, h.holds = name, 0
	h.addQueue(name)
	return true
}
