package fsm

import (
	"fmt"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// Codes of refusals. Every replica decides them alike, so they are results and not Go errors; httpd gives each a status.
const (
	CodeInvalid           = "invalid"
	CodeUnauthenticated   = "unauthenticated"
	CodeForbidden         = "forbidden"
	CodeUserExists        = "user_exists"
	CodeUserNotFound      = "user_not_found"
	CodeUserChanged       = "user_changed" // the record is not the one against which the password was checked
	CodeLastAdmin         = "last_admin"
	CodeRefreshInvalid    = "refresh_invalid"
	CodeRefreshReused     = "refresh_reused"
	CodeQueueExists       = "queue_exists"
	CodeQueueNotFound     = "queue_not_found"
	CodeQueueFull         = "queue_full"
	CodeMessageNotFound   = "message_not_found"
	CodeReceiptSuperseded = "receipt_superseded"
	CodeMessageNotLeased  = "message_not_leased"
	CodeLimitReached      = "limit_reached"
	CodeAPIKeyNotFound    = "api_key_not_found"
	CodeJoinTokenNotFound = "join_token_not_found"
	CodeKeyReused         = "idempotency_key_reused"
	CodeStale             = "stale"      // between members only: too old to be told from one that was applied; it was not applied now
	CodeNoSession         = "no_session" // between members only: likewise, because the session has ended
)

// refuse makes the refusal of a command or of one part of it.
func refuse(code, format string, args ...any) *fsmpb.Error {
	return &fsmpb.Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// refused makes the result of a command that was refused whole.
func refused(code, format string, args ...any) *fsmpb.Result {
	return &fsmpb.Result{Error: refuse(code, format, args...)}
}

// limitReached refuses what would grow beyond a number of limits.go: who has how many of what, how many are allowed, and
// what to do.
func limitReached(who string, present int, what string, allowed int, remedy string) *fsmpb.Result {
	return refused(CodeLimitReached, "%s has %d %s and %d are allowed; %s.", who, present, what, allowed, remedy)
}
