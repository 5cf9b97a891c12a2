package httpd

import "context"

type deleteEntry struct {
	ID     string `json:"Id"`
	Handle string `json:"ReceiptHandle"`
}

type deleteBatch struct {
	Action  string        `json:"Action"`
	Entries []deleteEntry `json:"Entries"`
}

// handles validates the whole batch: one bad entry refuses it.
func (b *deleteBatch) handles() ([]string, error) {
	ids, handles := make([]string, len(b.Entries)), make([]string, len(b.Entries))
	for i, e := range b.Entries {
		ids[i], handles[i] = e.ID, e.Handle
	}
	if err := checkEntries(ids); err != nil {
		return nil, err
	}
	for i, h := range handles {
		if err := required(entryField(i, "ReceiptHandle"), h); err != nil {
			return nil, err
		}
	}
	return handles, nil
}

func (s *Server) deleteMessageBatch(ctx context.Context, r *request) (any, error) {
	var in deleteBatch
	if err := decodeStrict(r.body, &in); err != nil {
		return nil, err
	}
	handles, err := in.handles()
	if err != nil {
		return nil, err
	}
	refused, err := s.deleteByHandle(ctx, r, handles)
	if err != nil {
		return nil, err
	}
	var out batchAnswer
	for i, e := range refused {
		out.add(in.Entries[i].ID, "", e)
	}
	return out, nil
}
