package cluster

import (
	"errors"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// Codes of errors with which the cluster could not decide a request.
const (
	CodeNoLeader       = "no_leader"
	CodeOverloaded     = "overloaded"
	CodeTimeout        = "timeout"
	CodeLimitReached   = "limit_reached"    // as many receives wait as may
	CodeDiskLow        = "disk_low"         // sends only
	CodeMemberNotFound = "member_not_found" // to be removed, or to lead
	CodeMajorityAtRisk = "majority_at_risk" // what was asked for could leave the cluster without a majority
	codeNotLeader      = "not_leader"       // between members only: ask the leader
	codeRefused        = "refused"          // between members only: asking again does not help
	codeRemoved        = "removed"          // between members only: the asker does not belong to the cluster any more
)

// Seconds after which a client may try again.
const (
	retrySoon = time.Second
	diskRetry = 10 * time.Second
)

// Error says that the cluster could not decide a request. Unknown tells whether it may have taken effect all the same.
type Error struct {
	Code       string        // one of the exported codes
	Detail     string        // for the person who reads the answer: what happened and what to do
	Unknown    bool          // the request may have been applied, or may yet be; false: it was not and will not be
	RetryAfter time.Duration // 0: trying again does not help by itself
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// final tells that asking again at once would not help.
func (e *Error) final() bool { return e.Code != codeNotLeader && e.Code != CodeTimeout }

// orUnknown is the error of a request of which an earlier try may have been applied.
func (e *Error) orUnknown(unknown bool) *Error {
	if !unknown || e.Unknown {
		return e
	}
	explained := *e
	explained.Unknown = true
	return &explained
}

func errNotLeader(why string) *Error { return &Error{Code: codeNotLeader, Detail: why} }

func errRemoved() *Error {
	return &Error{Code: codeRemoved, Detail: "the sender does not belong to the cluster any more"}
}

func errUnknown(why string) *Error {
	return &Error{
		Code:       CodeTimeout,
		Detail:     "It is not known whether the request took effect: " + why + ". Look before you repeat it.",
		Unknown:    true,
		RetryAfter: time.Second,
	}
}

// translate is the only place that knows what raft's errors mean for a command. These say that it was not proposed; every
// other one leaves it open, ErrRaftShutdown too, which raft also gives to committed entries.
func translate(err error) *Error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return errNotLeader(err.Error())
	case strings.HasPrefix(err.Error(), "configuration changed since"): // it has no name; decide on the present one
		return errNotLeader(err.Error())
	default: // most often ErrLeadershipLost
		return errUnknown("the leader was lost before the entry was known to be committed")
	}
}

func (e *Error) failure() *clusterpb.Failure {
	return &clusterpb.Failure{Code: e.Code, Detail: e.Detail, Unknown: e.Unknown}
}

func fromFailure(f *clusterpb.Failure) *Error {
	e := &Error{Code: f.Code, Detail: f.Detail, Unknown: f.Unknown}
	switch f.Code {
	case codeNotLeader, CodeOverloaded, CodeTimeout:
		e.RetryAfter = retrySoon
	case CodeDiskLow:
		e.RetryAfter = diskRetry
	}
	return e
}
