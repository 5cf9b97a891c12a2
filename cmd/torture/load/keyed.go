package load

import (
	"context"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
)

const (
	keptSends = 500                    // of a worker, the last ones
	keyAge    = 500 * time.Millisecond // of a send that is made again
	keyLife   = 5 * time.Minute        // half as long as the cluster remembers keys
	keyRoom   = 9_000                  // messages sent since, by all: it remembers 10,000 keys of a user
)

// keyedSend is a send that was acknowledged, under the key with which it may be made again.
type keyedSend struct {
	*history.Send
	key   string
	place int64 // among all sends
}

// sendKeyed sends a message under a key of its own, or makes an earlier such send again: then nothing may be stored, and the
// answer must be what it was, whoever leads now.
func (w *worker) sendKeyed(ctx context.Context, queue string) {
	if n := len(w.keyed); n > 0 && w.random.IntN(2) == 0 {
		w.sendAgain(ctx, w.keyed[w.random.IntN(n)])
		return
	}
	k := keyedSend{Send: w.newSend(queue, 0), place: w.bodies.Load()}
	k.key = fmt.Sprintf("key-%d-%d", w.number, k.place)
	var err error
	k.Span, err = w.request(ctx, func(ctx context.Context) (err error) {
		k.MessageID, err = w.api.Send(ctx, queue, client.Message{Body: k.Body}, client.IdempotencyKey(k.key))
		return err
	})
	w.sent(k.Send, err)
	if k.Answer == history.OK {
		w.keyed = append(w.keyed[max(0, len(w.keyed)-keptSends):], k)
	}
}

func (w *worker) sendAgain(ctx context.Context, k keyedSend) {
	if age := time.Since(k.End); age < keyAge || age > keyLife || w.bodies.Load()-k.place > keyRoom {
		return
	}
	var id string
	span, err := w.request(ctx, func(ctx context.Context) (err error) {
		id, err = w.api.Send(ctx, k.Queue, client.Message{Body: k.Body}, client.IdempotencyKey(k.key))
		return err
	})
	if answer, _ := w.answerOf("send again", err, nil); answer == history.OK && id != k.MessageID {
		w.history.AddFinding(history.Duplicate, fmt.Sprintf("%s was sent %s with a key, and with the same key %s it became %s", k.MessageID, k.Span, span, id))
	}
}
