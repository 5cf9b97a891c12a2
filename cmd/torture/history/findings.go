package history

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is a promise, by what breaks it. The letters are those of docs/reliability.md.
type Kind string

// The promises that a history can show to be broken.
const (
	Lost       Kind = "I1 lost"
	Ghost      Kind = "I2 back after its delete"
	Early      Kind = "I3 two holders"
	Superseded Kind = "I3 old receipt accepted"
	Count      Kind = "I4 receive count"
	Order      Kind = "I5 order"
	Empty      Kind = "I5 empty though ready"
	Register   Kind = "I7 not linearizable"
	Stale      Kind = "I7 an old state was read"
	Phantom    Kind = "I8 applied though refused"
	Duplicate  Kind = "I8 sent once, stored twice"
	Denied     Kind = "I8 refused though applied"
	Odd        Kind = "I8 an answer that must not be"
)

// Finding is one broken promise.
type Finding struct {
	Kind Kind
	Text string
}

func (f Finding) String() string { return string(f.Kind) + ": " + f.Text }

// Findings checks a history whose queues were drained completely. undecided are the names of which it could not be found out
// in time whether their answers fit together.
func (h *History) Findings() (findings []Finding, undecided []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := newCheck(h)
	for _, s := range h.sends {
		c.checkLost(s)
	}
	for _, m := range c.messages {
		c.checkOrigin(m)
		c.checkLeases(m)
		c.checkGhost(m)
		c.checkSuperseded(m)
		c.checkCounts(m)
		c.checkDenied(m)
	}
	c.checkOrder()
	c.checkOperations()
	return append(c.findings, h.seen...), c.undecided
}

// check is one pass over a history.
type check struct {
	h        *History
	messages map[string]*message // by message id
	byBody   map[string][]*message
	failures map[string]spans // of receives, by queue
	faults   spans
	findings []Finding

	undecided []string
}

// message is everything that is known of one message id.
type message struct {
	id, body   string
	deliveries []*Delivery
	deletes    []*Delete
	changes    map[*Delivery][]*Change
}

func newCheck(h *History) *check {
	c := &check{h: h, messages: map[string]*message{}, byBody: map[string][]*message{}, failures: map[string]spans{}}
	for _, r := range h.receives {
		for _, d := range r.Deliveries {
			m := c.messages[d.MessageID]
			if m == nil {
				m = &message{id: d.MessageID, body: d.Body, changes: map[*Delivery][]*Change{}}
				c.messages[d.MessageID] = m
				c.byBody[d.Body] = append(c.byBody[d.Body], m)
			}
			m.deliveries = append(m.deliveries, d)
		}
	}
	for _, d := range h.deletes {
		m := c.messages[d.Of.MessageID]
		m.deletes = append(m.deletes, d)
	}
	for _, ch := range h.changes {
		m := c.messages[ch.Of.MessageID]
		m.changes[ch.Of] = append(m.changes[ch.Of], ch)
	}
	for _, f := range h.failures {
		c.failures[f.Queue] = append(c.failures[f.Queue], f.Span)
	}
	for queue, s := range c.failures {
		c.failures[queue] = merged(s)
	}
	c.faults = merged(slices.Clone(h.faults))
	return c
}

// broken notes a finding about a message.
func (c *check) broken(k Kind, m *message, format string, args ...any) {
	c.found(k, "%s %s %s%s", m.id, brief(m.body), fmt.Sprintf(format, args...), c.tell(m))
}

// sent is the message of a send, also if nobody received it.
func (c *check) sent(s *Send) *message {
	if all := c.byBody[s.Body]; len(all) > 0 {
		return all[0]
	}
	return &message{id: s.MessageID, body: s.Body}
}

// tell is everything that is known of a message, for the one who has to explain a finding.
func (c *check) tell(m *message) string {
	var text strings.Builder
	if s := c.h.sends[m.body]; s != nil {
		fmt.Fprintf(&text, "\n    sent %s to %s, delay %s, %s", s.Span, s.Queue, s.Delay, s.Answer)
	}
	for _, d := range m.deliveries {
		fmt.Fprintf(&text, "\n    received %s as number %d, lease %s", d.Of.Span, d.Count, d.Lease)
		for _, ch := range m.changes[d] {
			fmt.Fprintf(&text, "\n      lease to end after %s, %s: %s", ch.Lease, ch.Span, ch.Answer)
		}
	}
	for _, d := range m.deletes {
		fmt.Fprintf(&text, "\n    deleted %s with the receipt of number %d: %s %s", d.Span, d.Of.Count, d.Answer, d.Code)
	}
	return text.String()
}

// brief is the beginning of a body.
func brief(body string) string { return body[:min(len(body), 40)] }

func (c *check) found(k Kind, format string, args ...any) {
	c.findings = append(c.findings, Finding{k, fmt.Sprintf(format, args...)})
}
