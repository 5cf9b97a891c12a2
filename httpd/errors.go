package httpd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// Codes of refusals that the edge itself decides, beside those of fsm and cluster.
const (
	codeMessageTooLong      = "message_too_long"
	codeInvalidJSON         = "invalid_json"
	codeInvalidCredentials  = "invalid_credentials"
	codeRegistrationClosed  = "registration_closed"
	codeTokenExpired        = "token_expired"
	codeBodyTooLarge        = "body_too_large"
	codeBodyUnreadable      = "body_unreadable"
	codeUnsupportedEncoding = "unsupported_encoding"
	codeNotFound            = "not_found"
	codeMethodNotAllowed    = "method_not_allowed"
	codeBusy                = "busy"
	codeInternal            = "internal"
)

// apiError is a request that is not answered with success. respond.go gives its code a status.
type apiError struct {
	code       string
	detail     string // for people: what happened, what is allowed, what to do next
	unknown    bool   // a write that may have taken effect all the same
	retryAfter time.Duration
	cause      error // for the log only
}

func (e *apiError) Error() string {
	if e.cause != nil {
		return e.code + ": " + e.detail + ": " + e.cause.Error()
	}
	return e.code + ": " + e.detail
}

func (e *apiError) Unwrap() error { return e.cause }

// invalid refuses one field of a request; allowed completes the sentence "<field> must ...".
func invalid(field, allowed string, args ...any) *apiError {
	return &apiError{code: fsm.CodeInvalid, detail: field + " must " + fmt.Sprintf(allowed, args...) + "."}
}

// refusal is a decision of the state machine; nil when there is none.
func refusal(e *fsmpb.Error) error {
	if e.GetCode() == "" {
		return nil
	}
	return &apiError{code: e.GetCode(), detail: e.GetDetail()}
}

// hasCode says whether err is an apiError of one of these codes.
func hasCode(err error, codes ...string) bool {
	var e *apiError
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.code == code {
			return true
		}
	}
	return false
}

// nodeError translates what a Node's method returned, once for the whole package. write says that the request was a write,
// whose outcome is unknown unless the node knows better.
func nodeError(err error, write bool) error {
	var e *cluster.Error
	switch {
	case errors.As(err, &e):
		return &apiError{code: e.Code, detail: e.Detail, unknown: write && e.Unknown, retryAfter: e.RetryAfter, cause: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &apiError{code: cluster.CodeTimeout, detail: "The cluster did not answer in time.", unknown: write, cause: err}
	}
	return &apiError{code: codeInternal, unknown: write, cause: err}
}

// propose carries out a write; a refusal is an error.
func (s *Server) propose(ctx context.Context, cmd *fsmpb.Command) (*fsmpb.Result, error) {
	result, err := s.node.Propose(ctx, cmd)
	if err != nil {
		return nil, nodeError(err, true)
	}
	return result, refusal(result.GetError())
}

// read answers a query; a refusal is an error.
func (s *Server) read(ctx context.Context, q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	result, err := s.node.Read(ctx, q)
	if err != nil {
		return nil, nodeError(err, false)
	}
	return result, refusal(result.GetError())
}
