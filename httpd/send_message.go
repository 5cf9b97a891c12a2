package httpd

import (
	"context"
	"fmt"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// newMessage is the JSON of a message to send.
type newMessage struct {
	Body       string     `json:"MessageBody"`
	Attributes attributes `json:"MessageAttributes"`
	Delay      integer    `json:"DelaySeconds"`
}

// size is what the message counts towards the limits.
func (m *newMessage) size() int { return len(m.Body) + m.Attributes.size() }

// encode validates the message; prefix stands before the field's name in a refusal.
func (m *newMessage) encode(prefix string) (*fsmpb.NewMessage, error) {
	if m.Body == "" {
		return nil, invalid(prefix+"MessageBody", "be a string of at least 1 byte")
	}
	delay, err := m.Delay.between(prefix+"DelaySeconds", 0, int64(fsm.MaxDelay.Seconds()), 0)
	if err != nil {
		return nil, err
	}
	content, err := (&fsmpb.Content{Body: m.Body, Attributes: m.Attributes}).MarshalVT() // decode has seen to its UTF-8
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return &fsmpb.NewMessage{Content: content, DelayS: uint32(delay)}, nil
}

// checkSize refuses messages that are too big together.
func checkSize(size int) error {
	if size > fsm.MaxMessageBytes {
		return &apiError{code: codeMessageTooLong, detail: fmt.Sprintf(
			"MessageBody and MessageAttributes must be at most %d bytes in one request; these are %d.", fsm.MaxMessageBytes, size)}
	}
	return nil
}

// sentMessage is the answer to SendMessage.
type sentMessage struct {
	ID     string `json:"MessageId"`
	Status string `json:"status"`
}

func (s *Server) sendMessage(ctx context.Context, r *request) (any, error) {
	var in newMessage
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := checkSize(in.size()); err != nil {
		return nil, err
	}
	message, err := in.encode("")
	if err != nil {
		return nil, err
	}
	sent, err := s.send(ctx, r, nil, []*fsmpb.NewMessage{message})
	if err != nil {
		return nil, err
	}
	if err := refusal(sent.GetMessages()[0].GetError()); err != nil {
		return nil, err
	}
	return sentMessage{ID: fsm.MessageID(sent.GetQueue(), sent.GetMessages()[0].GetSequence()), Status: "sent"}, nil
}

// send proposes messages as one command; ids are those of a batch's entries. The result has one entry for each message, in
// their order.
func (s *Server) send(ctx context.Context, r *request, ids []string, messages []*fsmpb.NewMessage) (*fsmpb.SendResult, error) {
	key, err := idempotencyKey(r, ids, messages)
	if err != nil {
		return nil, err
	}
	result, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op: &fsmpb.Command_SendMessage{SendMessage: &fsmpb.SendMessage{
			Queue: r.queue, Messages: messages, IdempotencyKey: key,
		}},
	})
	if err != nil {
		return nil, err
	}
	sent := result.GetSend()
	if len(sent.GetMessages()) != len(messages) {
		return nil, &apiError{code: codeInternal, unknown: true,
			cause: fmt.Errorf("%d results for %d messages", len(sent.GetMessages()), len(messages))}
	}
	if r.replayed = result.GetRemembered() == fsmpb.Remembered_BY_IDEMPOTENCY_KEY; r.replayed {
		s.metrics.replays.Inc()
	} else {
		s.metrics.stored(sent.GetMessages())
	}
	return sent, nil
}
