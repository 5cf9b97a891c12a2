package httpd

import (
	"context"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// sendEntry is one entry of a SendMessageBatch; its fields are those of newMessage and an Id.
type sendEntry struct {
	ID         string     `json:"Id"`
	Body       string     `json:"MessageBody"`
	Attributes attributes `json:"MessageAttributes"`
	Delay      integer    `json:"DelaySeconds"`
}

type sendBatch struct {
	Action  string      `json:"Action"`
	Entries []sendEntry `json:"Entries"`
}

// encode validates the whole batch: one bad entry refuses it.
func (b *sendBatch) encode() (ids []string, messages []*fsmpb.NewMessage, err error) {
	ids = make([]string, len(b.Entries))
	for i := range b.Entries {
		ids[i] = b.Entries[i].ID
	}
	if err := checkEntries(ids); err != nil {
		return nil, nil, err
	}
	messages = make([]*fsmpb.NewMessage, len(b.Entries))
	size := 0
	for i, e := range b.Entries {
		m := newMessage{Body: e.Body, Attributes: e.Attributes, Delay: e.Delay}
		if messages[i], err = m.encode(entryField(i, "")); err != nil {
			return nil, nil, err
		}
		size += m.size()
	}
	return ids, messages, checkSize(size)
}

func (s *Server) sendMessageBatch(ctx context.Context, r *request) (any, error) {
	var in sendBatch
	if err := decodeStrict(r.body, &in); err != nil {
		return nil, err
	}
	ids, messages, err := in.encode()
	if err != nil {
		return nil, err
	}
	sent, err := s.send(ctx, r, ids, messages)
	if err != nil {
		return nil, err
	}
	var out batchAnswer
	for i, m := range sent.GetMessages() {
		out.add(ids[i], fsm.MessageID(sent.GetQueue(), m.GetSequence()), m.GetError())
	}
	return out, nil
}
