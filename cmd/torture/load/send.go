package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
)

const longestPadding = 1_000 // bytes

// newSend makes a message with a body that no other has.
func (w *worker) newSend(queue string, delay time.Duration) *history.Send {
	padding := strings.Repeat(".", w.random.IntN(longestPadding))
	return &history.Send{Queue: queue, Delay: delay, Body: fmt.Sprintf("message %d %s %s", w.bodies.Add(1), w.secret, padding)}
}

// send sends one message.
func (w *worker) send(ctx context.Context, queue string, delay time.Duration) *history.Send {
	return w.sendThrough(ctx, w.api, queue, delay)
}

func (w *worker) sendThrough(ctx context.Context, api *client.Client, queue string, delay time.Duration) *history.Send {
	s := w.newSend(queue, delay)
	var err error
	s.Span, err = w.request(ctx, func(ctx context.Context) (err error) {
		s.MessageID, err = api.Send(ctx, queue, client.Message{Body: s.Body, Delay: delay}, w.how...)
		return err
	})
	w.sent(s, err)
	return s
}

// sendBatch sends several messages in one request.
func (w *worker) sendBatch(ctx context.Context, queue string, n int) {
	sends := make([]*history.Send, n)
	messages := make([]client.Message, n)
	for i := range sends {
		sends[i] = w.newSend(queue, 0)
		messages[i].Body = sends[i].Body
	}
	var results []client.EntryResult
	span, err := w.request(ctx, func(ctx context.Context) (err error) {
		results, err = w.api.SendBatch(ctx, queue, messages, w.how...)
		return err
	})
	for i, s := range sends {
		s.Span = span
		if err != nil {
			w.sent(s, err)
			continue
		}
		s.MessageID = results[i].MessageID
		w.sent(s, results[i].Err)
	}
}

// sent records what became of a send.
func (w *worker) sent(s *history.Send, err error) {
	if s.Answer, _ = w.answerOf("send", err, nil); s.Answer == history.OK {
		w.noteWrite(s.Start)
	}
	w.history.AddSend(s)
}
