package cluster

import (
	"sync"
	"time"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// maxFailureLines bounds the lines about failed requests that the log gets in one second: when a leader is lost or
// overloaded they come by the thousand.
const maxFailureLines = 20

// logLimit lets so many lines pass in each second. The zero value is ready.
type logLimit struct {
	mu      sync.Mutex
	second  int64
	lines   int
	skipped int
}

// pass reports whether a line may be written now, and how many were not since the last one.
func (l *logLimit) pass(now time.Time) (ok bool, skipped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := now.Unix(); second != l.second {
		l.second, l.lines = second, 0
	}
	if l.lines >= maxFailureLines {
		l.skipped++
		return false, 0
	}
	l.lines++
	skipped, l.skipped = l.skipped, 0
	return true, skipped
}

// outcome is what the leader's log says about a request, under the name that the client got for it.
type outcome struct {
	n       *Node
	request string // propose, receive, read
	id      string // of the client's request
	sender  string // the member that has it
}

func (n *Node) outcomeOf(request, sender string, req *clusterpb.Request) outcome {
	return outcome{n: n, request: request, id: req.RequestId, sender: sender}
}

// log writes the line: at debug as a rule, louder when the request failed in a way that somebody may ask about.
func (o outcome) log(err *Error) {
	loud := err != nil && (err.Unknown || err.Code == CodeOverloaded)
	if !loud && !o.n.log.IsDebug() {
		return
	}
	result := "ok"
	if err != nil {
		result = err.Code
	}
	args := []any{"request_id", o.id, "request", o.request, "sender", o.sender, "outcome", result}
	if !loud {
		o.n.log.Debug("request", args...)
		return
	}
	ok, skipped := o.n.failures.pass(time.Now())
	if !ok {
		return
	}
	args = append(args, "unknown", err.Unknown, "reason", err.Detail)
	if skipped > 0 {
		args = append(args, "lines_left_out", skipped)
	}
	if err.Unknown {
		o.n.log.Warn("request failed, and may have taken effect", args...)
	} else {
		o.n.log.Info("request refused", args...)
	}
}
