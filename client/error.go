package client

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Outcome says what is known about the effect of a request that failed.
type Outcome string

const (
	// NotApplied means that the request had no effect and will have none.
	NotApplied Outcome = "not_applied"
	// Unknown means that the request may have taken effect, or still may.
	Unknown Outcome = "unknown"
)

// Error is a request that did not succeed.
type Error struct {
	Status     int           // the HTTP status; 0 when no answer came
	Code       string        // the server's word for the reason, such as "queue_full"; empty when no answer came
	Detail     string        // one sentence for people
	Outcome    Outcome       // whether the request may have had an effect
	RetryAfter time.Duration // how long the server asks to wait; 0 when it did not say
	RequestID  string        // what the logs of the nodes call this request
	Err        error         // the network's error when no answer came
	Asked      int           // how many nodes were asked in vain in the last round; 0 when the error is one node's last word
	Unreached  int           // how many of them gave no answer
}

// Error says what happened, with the server's status and code where there are any, the request's id when the nodes' logs have
// more to say, and how many nodes gave no answer.
func (e *Error) Error() string {
	switch {
	case e.Asked < 2 || e.Unreached == 0:
		return e.oneAnswer()
	case e.Unreached == e.Asked:
		return fmt.Sprintf("%s; none of the %d nodes could be reached", e.oneAnswer(), e.Asked)
	}
	return fmt.Sprintf("%s; %d of %d nodes could not be reached", e.oneAnswer(), e.Unreached, e.Asked)
}

func (e *Error) oneAnswer() string {
	switch {
	case e.Status == 0:
		return fmt.Sprintf("%s (outcome %s, request %s)", e.Detail, e.Outcome, e.RequestID)
	case e.Status >= http.StatusInternalServerError:
		return fmt.Sprintf("%d %s: %s (request %s)", e.Status, e.Code, e.Detail, e.RequestID)
	}
	if e.Outcome == Unknown {
		return fmt.Sprintf("%d %s: %s (outcome unknown: an earlier try may have had an effect; request %s)", e.Status, e.Code, e.Detail, e.RequestID)
	}
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Detail)
}

// Unwrap returns the network's error, so that errors.Is finds context.Canceled and the like.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeOf says what is known about the effect of a call that returned err. What is no Error never reached a node.
func OutcomeOf(err error) Outcome {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return NotApplied
}

// refusal makes the Error of an answer that is no success. An answer without an outcome had no effect unless the server
// itself failed (5xx): then nobody knows.
func refusal(status int, header http.Header, b *errorBody) *Error {
	e := &Error{Status: status, Code: b.Code, Detail: b.Detail, Outcome: Outcome(b.Outcome), RequestID: b.RequestID}
	if e.Outcome != NotApplied && e.Outcome != Unknown {
		e.Outcome = NotApplied
		if status >= http.StatusInternalServerError {
			e.Outcome = Unknown
		}
	}
	if e.Detail == "" {
		e.Detail = http.StatusText(status)
	}
	if seconds, err := time.ParseDuration(header.Get("Retry-After") + "s"); err == nil {
		e.RetryAfter = seconds
	}
	return e
}

// errorBody is the JSON of a refused request.
type errorBody struct {
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
	Outcome   string `json:"outcome"`
}
