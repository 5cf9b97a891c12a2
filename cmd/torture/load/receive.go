package load

import (
	"context"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
)

// receiving says how to receive.
type receiving struct {
	max   int
	wait  time.Duration
	lease time.Duration // the queue's, unless own
	own   bool
	done  []*history.Delivery // to be deleted by the same request
	api   *client.Client      // nil: the worker's
}

// receive takes messages. It returns what it got; nil also if it failed.
func (w *worker) receive(ctx context.Context, queue string, how receiving) []*history.Delivery {
	got, _ := w.tryReceive(ctx, queue, how)
	return got
}

func (w *worker) tryReceive(ctx context.Context, queue string, how receiving) ([]*history.Delivery, bool) {
	options := client.ReceiveOptions{Max: how.max, Wait: how.wait, SystemAttributes: true}
	if how.own {
		options.VisibilityTimeout = &how.lease
	}
	api := how.api
	if api == nil {
		api = w.api
	}
	var got []client.Delivery
	var results []client.EntryResult
	r := &history.Receive{Queue: queue}
	var err error
	request := w.request
	if how.wait > 0 {
		request = w.poll
	}
	r.Span, err = request(withQueue(ctx, queue), func(ctx context.Context) (err error) {
		got, results, err = api.DeleteAndReceive(ctx, queue, handles(how.done), options)
		return err
	})
	r.Answer, _ = w.answerOf("receive", err, nil)
	if err != nil {
		w.history.AddFailure(&history.Failure{Span: r.Span, Queue: queue})
	}
	for _, d := range got {
		r.Deliveries = append(r.Deliveries, &history.Delivery{
			Of: r, Body: d.Body, MessageID: d.MessageID, Handle: d.ReceiptHandle, Lease: how.lease, Count: d.ReceiveCount(),
		})
	}
	w.history.AddReceive(r)
	w.deleted(how.done, r.Span, results, err)
	return r.Deliveries, err == nil
}

func handles(deliveries []*history.Delivery) []string {
	var handles []string
	for _, d := range deliveries {
		handles = append(handles, d.Handle)
	}
	return handles
}
