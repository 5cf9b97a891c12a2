package httpd

import (
	"context"
	"slices"
	"strings"

	"github.com/fastqueue/fastqueue/fsm"
)

// action is one thing that POST /v1/queue/{name} can do.
type action struct {
	name    string
	handler handler
	doc     func() documentation
}

// actions is the second table: what POST /v1/queue/{name} can do. The handlers of Actions that are newer than the first API
// document refuse unknown fields.
func actions() []action {
	return []action{
		{"SendMessage", (*Server).sendMessage, docSendMessage},
		{"ReceiveMessage", (*Server).receiveMessage, docReceiveMessage},
		{"DeleteMessage", (*Server).deleteMessage, docDeleteMessage},
		{"SendMessageBatch", (*Server).sendMessageBatch, docSendMessageBatch},
		{"DeleteMessageBatch", (*Server).deleteMessageBatch, docDeleteMessageBatch},
		{"ChangeMessageVisibility", (*Server).changeMessageVisibility, docChangeMessageVisibility},
		{"ChangeMessageVisibilityBatch", (*Server).changeMessageVisibilityBatch, docChangeMessageVisibilityBatch},
	}
}

// handlersOf finds the handler of an action by its name.
func handlersOf(acts []action) map[string]handler {
	handlers := make(map[string]handler, len(acts))
	for _, a := range acts {
		handlers[a.name] = a.handler
	}
	return handlers
}

// actionsOf are the Actions that a row of the route table takes.
func (s *Server) actionsOf(rt *route) map[string]handler {
	if rt.path != messagePath {
		return nil
	}
	return s.actions
}

// actionRequest is what every message request has.
type actionRequest struct {
	Action string `json:"Action"`
}

// act carries out the Action of a message request.
func (s *Server) act(ctx context.Context, r *request) (any, error) {
	var in actionRequest
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	carryOut, ok := s.actions[in.Action]
	if !ok {
		return nil, s.unknownAction(in.Action)
	}
	r.action = in.Action
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
