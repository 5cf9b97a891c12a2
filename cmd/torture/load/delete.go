package load

import (
	"context"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
)

// delete deletes one message.
func (w *worker) delete(ctx context.Context, d *history.Delivery) {
	w.deleteThrough(ctx, w.api, d)
}

func (w *worker) deleteThrough(ctx context.Context, api *client.Client, d *history.Delivery) history.Answer {
	span, err := w.request(ctx, func(ctx context.Context) error { return api.Delete(ctx, d.Of.Queue, d.Handle) })
	return w.deleted([]*history.Delivery{d}, span, nil, err)
}

// deleteBatch deletes messages of one queue in one request.
func (w *worker) deleteBatch(ctx context.Context, deliveries []*history.Delivery) {
	var results []client.EntryResult
	span, err := w.request(ctx, func(ctx context.Context) (err error) {
		results, err = w.api.DeleteBatch(ctx, deliveries[0].Of.Queue, handles(deliveries))
		return err
	})
	w.deleted(deliveries, span, results, err)
}

// deleted records what became of deletes that were made by one request, and returns that of the last.
func (w *worker) deleted(deliveries []*history.Delivery, span history.Span, results []client.EntryResult, err error) (last history.Answer) {
	for i, d := range deliveries {
		result := err
		if err == nil && results != nil {
			result = results[i].Err
		}
		record := &history.Delete{Span: span, Of: d}
		record.Answer, record.Code = w.answerOf("delete", result, gone())
		w.history.AddDelete(record)
		last = record.Answer
	}
	return last
}

// change lets the lease of a delivery end so long from now.
func (w *worker) change(ctx context.Context, d *history.Delivery, lease time.Duration) {
	span, err := w.request(ctx, func(ctx context.Context) error {
		return w.api.ChangeVisibility(ctx, d.Of.Queue, d.Handle, lease)
	})
	record := &history.Change{Span: span, Of: d, Lease: lease}
	record.Answer, _ = w.answerOf("change of visibility", err, gone())
	w.history.AddChange(record)
}
