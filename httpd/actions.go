package httpd

import (
	"context"
	"slices"
	"strings"

	"github.com/fastqueue/fastqueue/fsm"
)

// actions is the second table: what POST /v1/queue/{name} can do. The handlers of Actions that are newer than the first API
// document refuse unknown fields.
func actions() map[string]handler {
	return map[string]handler{
		"SendMessage":                  (*Server).sendMessage,
		"ReceiveMessage":               (*Server).receiveMessage,
		"DeleteMessage":                (*Server).deleteMessage,
		"SendMessageBatch":             (*Server).sendMessageBatch,
		"DeleteMessageBatch":           (*Server).deleteMessageBatch,
		"ChangeMessageVisibility":      (*Server).changeMessageVisibility,
		"ChangeMessageVisibilityBatch": (*Server).changeMessageVisibilityBatch,
	}
}

// act carries out the Action of a message request.
func (s *Server) act(ctx context.Context, r *request) (any, error) {
	var in struct {
		Action string `json:"Action"`
	}
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	carryOut, ok := s.actions[in.Action]
	if !ok {
		return nil, s.unknownAction(in.Action)
	}
	if err := queueInPath(r); err != nil {
		return nil, err
	}
	return carryOut(s, ctx, r)
}

func (s *Server) unknownAction(name string) error {
	known := make([]string, 0, len(s.actions))
	for k := range s.actions {
		known = append(known, k)
	}
	slices.Sort(known)
	detail := "Action must be one of " + strings.Join(known, ", ") + "."
	if name != "" {
		detail += " The nearest to the given one is " + nearest(name, known) + "."
	}
	return &apiError{code: fsm.CodeInvalid, detail: detail}
}
