package history

import (
	"sync"
	"time"
)

// History is what clients did and saw. Its methods may be called by any goroutine; Findings is called when the workers have
// ended.
type History struct {
	mu       sync.Mutex
	sends    map[string]*Send // by body; every body is sent once
	receives []*Receive
	deletes  []*Delete
	changes  []*Change
	records  []*Operation // of users and queues
	failures []*Failure
	faults   []Span
	seen     []Finding

	sendsOK, deletesOK int
}

// New makes an empty history.
func New() *History { return &History{sends: map[string]*Send{}} }

// Answer is what a client knows of the effect of a request.
type Answer int

const (
	// OK means that a success was answered.
	OK Answer = iota
	// Refused means that the request certainly had no effect.
	Refused
	// Unknown means perhaps an effect, now or later.
	Unknown
)

// String names an answer.
func (a Answer) String() string { return [...]string{"ok", "refused", "unknown"}[a] }

// String is the time of day, from and to.
func (s Span) String() string {
	const layout = "15:04:05.000"
	return s.Start.UTC().Format(layout) + " to " + s.End.UTC().Format(layout)
}

// Span is the time from before a request to after its answer.
type Span struct{ Start, End time.Time }

// Send is one message that a client sent, alone or in a batch.
type Send struct {
	Span
	Queue, Body, MessageID string
	Delay                  time.Duration
	Answer                 Answer
}

// Receive is one request for messages.
type Receive struct {
	Span
	Queue      string
	Answer     Answer
	Deliveries []*Delivery // in the order of the answer
}

// Delivery is one message returned by a receive.
type Delivery struct {
	Of                      *Receive
	Body, MessageID, Handle string
	Lease                   time.Duration
	Count                   int // how often the message was received, this time included, as the answer says; 0: it does not
}

// Delete is one try to delete a message with the handle of one of its deliveries.
type Delete struct {
	Span
	Of     *Delivery
	Answer Answer
	Code   string // of a refusal
}

// Change is one try to let the lease of a delivery end so long after the request.
type Change struct {
	Span
	Of     *Delivery
	Lease  time.Duration
	Answer Answer
}

// Failure is one try to receive, at one node, that got no answer or one that blames the cluster (5xx), also if the client tried
// again and succeeded. What a node took for such a request may have come back unseen.
type Failure struct {
	Span
	Queue string
}

// AddSend records a send.
func (h *History) AddSend(s *Send) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends[s.Body] = s
	if s.Answer == OK {
		h.sendsOK++
	}
}

// AddReceive records a receive with its deliveries.
func (h *History) AddReceive(r *Receive) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.receives = append(h.receives, r)
}

// AddDelete records a delete.
func (h *History) AddDelete(d *Delete) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deletes = append(h.deletes, d)
	if d.Answer == OK {
		h.deletesOK++
	}
}

// AddChange records a change of visibility.
func (h *History) AddChange(c *Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, c)
}

// AddOperation records an operation on a user or a queue.
func (h *History) AddOperation(o *Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, o)
}

// AddFailure records a try that failed.
func (h *History) AddFailure(f *Failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures = append(h.failures, f)
}

// AddFault records when something was broken on purpose: a node may then have had to receive twice for one request.
func (h *History) AddFault(s Span) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, s)
}

// AddFinding records a broken promise that the worker itself has seen.
func (h *History) AddFinding(k Kind, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, Finding{k, text})
}

// Acknowledged returns how many sends and deletes were answered with success.
func (h *History) Acknowledged() (sends, deletes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sendsOK, h.deletesOK
}

// UnknownSends counts the sends whose outcome the client does not know.
func (h *History) UnknownSends() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, s := range h.sends {
		if s.Answer == Unknown {
			n++
		}
	}
	return n
}
