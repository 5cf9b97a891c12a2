package httpd

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	// freeAnswerBytes is not counted: a connection itself has as much for what it writes.
	freeAnswerBytes = 4 << 10
	// smallAnswerBytes is the most that counts as small; the kernel takes that at once, read or not.
	smallAnswerBytes = 64 << 10
	// answerPatience is how long an answer waits for room.
	answerPatience = time.Second
)

var errAnswersFull = errors.New("too many answers are held")

// answerBudget bounds the memory for all answers that are encoded or written, together: a client may read slowly, or not at
// all. Small ones have a share of their own, so that big ones that nobody reads do not stop them.
type answerBudget struct{ small, large share }

func newAnswerBudget(bytes int64) *answerBudget {
	b := &answerBudget{}
	b.small.max, b.large.max = bytes/4, bytes-bytes/4
	b.small.room, b.large.room = semaphore.NewWeighted(b.small.max), semaphore.NewWeighted(b.large.max)
	return b
}

// share is a part of the budget.
type share struct {
	max           int64 // bytes
	room          *semaphore.Weighted
	held, waiting atomic.Int64 // bytes
}

// heldAnswer is what one answer has paid for; the zero value is nothing.
type heldAnswer struct {
	share *share
	paid  int64
	text  int64 // the most that its text has, if that is known before it is encoded
}

// pay counts an answer of n bytes. One that does not fit waits for a moment, unless many wait already: they have memory, too.
func (b *answerBudget) pay(ctx context.Context, h *heldAnswer, n int64) error {
	if n <= freeAnswerBytes {
		return nil
	}
	from := &b.large
	if n <= smallAnswerBytes {
		from = &b.small
	}
	n = min(n, from.max) // what is bigger than the whole share is alone in it
	if err := from.take(ctx, n); err != nil {
		return &apiError{code: cluster.CodeOverloaded, cause: err,
			detail: "This node holds as many bytes of answers that are not read as it may. Try again later, or with another node."}
	}
	h.share, h.paid = from, n
	return nil
}

func (s *share) take(ctx context.Context, n int64) error {
	if !s.room.TryAcquire(n) {
		defer s.waiting.Add(-n)
		if s.waiting.Add(n) > max(n, s.max/4) {
			return errAnswersFull
		}
		ctx, cancel := context.WithTimeout(ctx, answerPatience)
		defer cancel()
		if err := s.room.Acquire(ctx, n); err != nil {
			return errors.Join(errAnswersFull, err)
		}
	}
	s.held.Add(n)
	return nil
}

// release gives back what the answer took, once nobody uses its bytes any more.
func (h *heldAnswer) release() {
	if h.share != nil {
		h.share.held.Add(-h.paid)
		h.share.room.Release(h.paid)
		*h = heldAnswer{}
	}
}

// deliveryBytes is the most that one received message has in JSON beside its content: names of fields, ids, handle, system
// attributes and the frames of its attributes.
const deliveryBytes = 2 << 10

// sizeOf is the most that the JSON of what was taken can have, and the most memory for it and what it is made of. It looks
// at the bytes only: nothing is decoded before it is paid for.
func sizeOf(received *fsmpb.ReceiveResult) (text, memory int64) {
	for _, d := range received.GetDeliveries() {
		content := d.GetMessage().GetContent()
		n := int64(len(content))
		text += escapedBytes(content) + n/3 + deliveryBytes // a third more if it is written in base64
		memory += n
	}
	return text, memory + text
}

// escapedBytes is the length of a text within a JSON string.
func escapedBytes(text []byte) int64 {
	n := int64(len(text))
	for _, c := range text {
		switch {
		case c == '"', c == '\\', c == '\n', c == '\t', c == '\r', c == '\b', c == '\f':
			n++ // \n
		case c < ' ':
			n += 5 // \u0001
		}
	}
	return n
}
