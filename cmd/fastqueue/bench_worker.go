package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/fastqueue/fastqueue/client"
)

// pauseAfterFailure keeps a closed loop from spinning against a node that is down.
const pauseAfterFailure = 20 * time.Millisecond

// errRefused is an answer other than success; the run counts it.
var errRefused = errors.New("refused")

// worker is one connection with one request under way. Only its own goroutine touches it.
type worker struct {
	b       *bench
	id      int
	conn    *rawConn
	token   string
	request []byte // the body under construction
	padding []byte // what follows the label in a message's body
	newest  []int  // per sender, the newest message that this connection received
}

// delivery is what the bench needs of a received message.
type delivery struct {
	Body          string `json:"Body"`
	ReceiptHandle string `json:"ReceiptHandle"`
}

// load carries out operations until the run's time is over.
func (w *worker) load(ctx context.Context, operate func(context.Context) error) {
	for {
		scheduled, ok := w.b.schedule.next(ctx)
		if !ok {
			return
		}
		if err := operate(ctx); err != nil {
			w.b.failed.Add(1)
			w.b.rememberError(err)
			pause(ctx, pauseAfterFailure)
			continue
		}
		w.b.operations.record(time.Since(scheduled))
	}
}

// sendOne is the operation of mode send.
func (w *worker) sendOne(ctx context.Context) error {
	m := w.b.ledger.reserve(w.id)
	w.request = append(w.request[:0], `{"Action":"SendMessage","MessageBody":"`...)
	w.appendBody(m)
	w.request = append(w.request, `"}`...)
	if _, err := w.post(ctx); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	w.b.ledger.mark(m, acknowledged)
	w.b.sent.Add(1)
	return nil
}

// sendBatch is the operation of mode batch.
func (w *worker) sendBatch(ctx context.Context) error {
	var labels [client.MaxBatch]label
	w.request = append(w.request[:0], `{"Action":"SendMessageBatch","Entries":[`...)
	for i := range labels {
		labels[i] = w.b.ledger.reserve(w.id)
		if i > 0 {
			w.request = append(w.request, ',')
		}
		w.request = append(w.request, `{"Id":"`...)
		w.request = strconv.AppendInt(w.request, int64(i), 10)
		w.request = append(w.request, `","MessageBody":"`...)
		w.appendBody(labels[i])
		w.request = append(w.request, `"}`...)
	}
	w.request = append(w.request, `]}`...)
	answer, err := w.post(ctx)
	if err != nil {
		return fmt.Errorf("send batch: %w", err)
	}
	return w.acknowledge(labels[:], answer)
}

// acknowledge marks the entries of a batch that the answer names as sent.
func (w *worker) acknowledge(labels []label, answer []byte) error {
	var a struct {
		Successful []struct {
			ID string `json:"Id"`
		} `json:"Successful"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("batch answer: %w", err)
	}
	for _, s := range a.Successful {
		i, err := strconv.Atoi(s.ID)
		if err != nil || i < 0 || i >= len(labels) {
			return fmt.Errorf("batch answer: unknown entry %q", s.ID)
		}
		w.b.ledger.mark(labels[i], acknowledged)
	}
	w.b.sent.Add(int64(len(a.Successful)))
	if len(a.Successful) < len(labels) {
		return fmt.Errorf("send batch: %w: %d of %d entries", errRefused, len(labels)-len(a.Successful), len(labels))
	}
	return nil
}

// loopOne is the operation of mode loop: send a message, receive one (perhaps another connection's) and delete it.
func (w *worker) loopOne(ctx context.Context) error {
	start := time.Now()
	if err := w.sendOne(ctx); err != nil {
		return err
	}
	sent := time.Now()
	w.b.sends.record(sent.Sub(start))
	deliveries, err := w.receive(ctx, 1, 0)
	if err != nil {
		return err
	}
	got := time.Now()
	w.b.receives.record(got.Sub(sent))
	if len(deliveries) == 0 {
		return errors.New("receive: nothing there though a message was just sent")
	}
	if err := w.delete(ctx, deliveries[0]); err != nil {
		return err
	}
	w.b.deletes.record(time.Since(got))
	return nil
}

// receive takes up to n messages and notes them in the ledger.
func (w *worker) receive(ctx context.Context, n, waitSeconds int) ([]delivery, error) {
	w.request = fmt.Appendf(w.request[:0], `{"Action":"ReceiveMessage","MaxNumberOfMessages":%d,"WaitTimeSeconds":%d}`, n, waitSeconds)
	answer, err := w.post(ctx)
	if err != nil {
		w.b.lateMessages.Store(true)
		return nil, fmt.Errorf("receive: %w", err)
	}
	var r struct {
		Messages []delivery `json:"Messages"`
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return nil, fmt.Errorf("receive answer: %w", err)
	}
	for _, d := range r.Messages {
		if m, ok := parseLabel(d.Body); !ok || !w.b.ledger.receive(m, w.newest) {
			return nil, fmt.Errorf("receive: a message that was never sent: %.40q", d.Body)
		}
	}
	return r.Messages, nil
}

// delete removes one received message. After a failure it may be received again.
func (w *worker) delete(ctx context.Context, d delivery) error {
	w.request = append(w.request[:0], `{"Action":"DeleteMessage","ReceiptHandle":"`...)
	w.request = append(w.request, d.ReceiptHandle...)
	w.request = append(w.request, `"}`...)
	if _, err := w.post(ctx); err != nil {
		w.forgive(d)
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// deleteBatch removes received messages in one request.
func (w *worker) deleteBatch(ctx context.Context, deliveries []delivery) error {
	w.request = append(w.request[:0], `{"Action":"DeleteMessageBatch","Entries":[`...)
	for i, d := range deliveries {
		if i > 0 {
			w.request = append(w.request, ',')
		}
		w.request = fmt.Appendf(w.request, `{"Id":"%d","ReceiptHandle":"%s"}`, i, d.ReceiptHandle)
	}
	w.request = append(w.request, `]}`...)
	if _, err := w.post(ctx); err != nil {
		w.forgive(deliveries...)
		return fmt.Errorf("delete batch: %w", err)
	}
	return nil
}

// forgive notes that messages may be received again without fault.
func (w *worker) forgive(deliveries ...delivery) {
	for _, d := range deliveries {
		if m, ok := parseLabel(d.Body); ok {
			w.b.ledger.mark(m, mayReturn)
		}
	}
}

// post sends the request under construction and returns the body of a successful answer. A refused token is renewed once.
func (w *worker) post(ctx context.Context) ([]byte, error) {
	for renewed := false; ; renewed = true {
		status, answer, err := w.conn.post(ctx, w.b.path, w.token, w.request)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusOK:
			return answer, nil
		case status != http.StatusUnauthorized || renewed:
			return nil, fmt.Errorf("%w with status %d: %.200s", errRefused, status, answer)
		}
		if w.token, err = w.b.client.Renew(ctx, w.token); err != nil {
			return nil, fmt.Errorf("new token: %w", err)
		}
	}
}

func (w *worker) appendBody(m label) {
	w.request = appendLabel(w.request, m)
	w.request = append(w.request, w.padding...)
}

// pause waits for d, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
