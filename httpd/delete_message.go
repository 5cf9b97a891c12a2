package httpd

import (
	"context"
	"fmt"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// statement is an answer that only says what was done.
type statement struct {
	Message string `json:"message"`
}

// deletion is the JSON of a DeleteMessage.
type deletion struct {
	Handle string `json:"ReceiptHandle"`
}

func (s *Server) deleteMessage(ctx context.Context, r *request) (any, error) {
	var in deletion
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := required("ReceiptHandle", in.Handle); err != nil {
		return nil, err
	}
	refused, err := s.deleteByHandle(ctx, r, []string{in.Handle})
	if err != nil {
		return nil, err
	}
	if err := refusal(refused[0]); err != nil {
		return nil, err
	}
	return statement{"Message deleted successfully"}, nil
}

// deleteByHandle proposes deletes as one command. The result has one entry for each handle, in their order; one without a
// code was deleted.
func (s *Server) deleteByHandle(ctx context.Context, r *request, handles []string) ([]*fsmpb.Error, error) {
	receipts, err := s.receipts(ctx, handles)
	if err != nil {
		return nil, err
	}
	result, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(),
		Op:        &fsmpb.Command_DeleteMessage{DeleteMessage: &fsmpb.DeleteMessage{Queue: r.queue, Receipts: receipts}},
	})
	if err != nil {
		return nil, err
	}
	refused := result.GetDelete().GetErrors()
	if len(refused) != len(handles) {
		return nil, &apiError{code: codeInternal, unknown: true, cause: fmt.Errorf("%d results for %d receipts", len(refused), len(handles))}
	}
	s.metrics.removed(refused)
	return refused, nil
}

// receipts decodes handles. One that this cluster never gave out becomes the empty receipt, which is no message's: so the
// state machine refuses it, after it has decided whether the caller and the queue exist.
func (s *Server) receipts(ctx context.Context, handles []string) ([]*fsmpb.Receipt, error) {
	keys, err := s.keys(ctx)
	if err != nil {
		return nil, err
	}
	receipts := make([]*fsmpb.Receipt, len(handles))
	coder, fresh := fsm.NewReceipts(keys.GetReceiptKey()), false
	for i, h := range handles {
		receipt, ok := coder.Decode(h)
		if !ok && !fresh {
			// This node's copy of the key may be old.
			if keys, err = s.leaderKeys(ctx); err != nil {
				return nil, err
			}
			coder, fresh = fsm.NewReceipts(keys.GetReceiptKey()), true
			receipt, ok = coder.Decode(h)
		}
		if !ok {
			receipt = &fsmpb.Receipt{}
		}
		receipts[i] = receipt
	}
	return receipts, nil
}
