package httpd

import (
	"context"
	"fmt"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// visibilityChange is one lease that is to end at another time.
type visibilityChange struct {
	Handle            string  `json:"ReceiptHandle"`
	VisibilityTimeout integer `json:"VisibilityTimeout"`
}

// check validates one change; field names its place in the request.
func (v *visibilityChange) check(field func(string) string) (seconds uint32, err error) {
	if err := required(field("ReceiptHandle"), v.Handle); err != nil {
		return 0, err
	}
	if !v.VisibilityTimeout.given {
		return 0, invalid(field("VisibilityTimeout"), "be given: a whole number of seconds from 0 to %d", int64(fsm.MaxVisibilityTimeout.Seconds()))
	}
	n, err := v.VisibilityTimeout.between(field("VisibilityTimeout"), 0, int64(fsm.MaxVisibilityTimeout.Seconds()), 0)
	return uint32(n), err
}

// visibilityRequest is the JSON of a ChangeMessageVisibility.
type visibilityRequest struct {
	Action string `json:"Action"`
	visibilityChange
}

func (s *Server) changeMessageVisibility(ctx context.Context, r *request) (any, error) {
	var in visibilityRequest
	if err := decodeStrict(r.body, &in); err != nil {
		return nil, err
	}
	seconds, err := in.check(func(name string) string { return name })
	if err != nil {
		return nil, err
	}
	refused, err := s.changeVisibility(ctx, r, []string{in.Handle}, []uint32{seconds})
	if err != nil {
		return nil, err
	}
	if err := refusal(refused[0]); err != nil {
		return nil, err
	}
	return statement{"Visibility timeout changed successfully"}, nil
}

type visibilityEntry struct {
	ID string `json:"Id"`
	visibilityChange
}

// visibilityBatch is the JSON of a ChangeMessageVisibilityBatch.
type visibilityBatch struct {
	Action  string            `json:"Action"`
	Entries []visibilityEntry `json:"Entries"`
}

func (s *Server) changeMessageVisibilityBatch(ctx context.Context, r *request) (any, error) {
	var in visibilityBatch
	if err := decodeStrict(r.body, &in); err != nil {
		return nil, err
	}
	ids, handles, seconds := make([]string, len(in.Entries)), make([]string, len(in.Entries)), make([]uint32, len(in.Entries))
	for i, e := range in.Entries {
		ids[i], handles[i] = e.ID, e.Handle
	}
	if err := checkEntries(ids); err != nil {
		return nil, err
	}
	for i := range in.Entries {
		var err error
		if seconds[i], err = in.Entries[i].check(func(name string) string { return entryField(i, name) }); err != nil {
			return nil, err
		}
	}
	refused, err := s.changeVisibility(ctx, r, handles, seconds)
	if err != nil {
		return nil, err
	}
	var out batchAnswer
	for i, e := range refused {
		out.add(ids[i], "", e)
	}
	return out, nil
}

// changeVisibility proposes changes as one command. The result has one entry for each, in their order; one without a code
// was made.
func (s *Server) changeVisibility(ctx context.Context, r *request, handles []string, seconds []uint32) ([]*fsmpb.Error, error) {
	receipts, err := s.receipts(ctx, handles)
	if err != nil {
		return nil, err
	}
	change := &fsmpb.ChangeVisibility{Queue: r.queue}
	for i, receipt := range receipts {
		change.Changes = append(change.Changes, &fsmpb.VisibilityChange{Receipt: receipt, VisibilityTimeoutS: seconds[i]})
	}
	result, err := s.propose(ctx, &fsmpb.Command{
		Principal: r.principal(), Op: &fsmpb.Command_ChangeVisibility{ChangeVisibility: change},
	})
	if err != nil {
		return nil, err
	}
	refused := result.GetChangeVisibility().GetErrors()
	if len(refused) != len(handles) {
		return nil, &apiError{code: codeInternal, unknown: true, cause: fmt.Errorf("%d results for %d changes", len(refused), len(handles))}
	}
	return refused, nil
}
