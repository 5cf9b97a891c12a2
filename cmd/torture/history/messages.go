package history

import (
	"slices"

	"github.com/fastqueue/fastqueue/client"
)

// checkLost finds acknowledged messages that are gone though no delete of them can have had an effect (I1).
func (c *check) checkLost(s *Send) {
	if s.Answer != OK {
		return
	}
	for _, m := range c.byBody[s.Body] {
		for _, d := range m.deletes {
			if d.Answer != Refused {
				return
			}
		}
	}
	c.broken(Lost, c.sent(s), "was acknowledged, and is gone though nobody deleted it")
}

// checkOrigin finds messages that nobody sent, whose send was refused, that have another id or body than their sender was
// told, and those that are stored more than once (I8).
func (c *check) checkOrigin(m *message) {
	for _, d := range m.deliveries {
		if d.Body != m.body {
			c.broken(Phantom, m, "was received as %s", brief(d.Body))
			return
		}
	}
	s := c.h.sends[m.body]
	same := c.byBody[m.body]
	switch {
	case s == nil:
		c.broken(Phantom, m, "was received and never sent")
	case len(same) > 1:
		if m == same[0] {
			c.broken(Duplicate, m, "was sent once and is stored as %s, too%s", same[1].id, c.tell(same[1]))
		}
	case s.Answer == Refused:
		c.broken(Phantom, m, "was received though its send was refused")
	case s.Answer == OK && s.MessageID != m.id:
		c.broken(Phantom, m, "was acknowledged as %s", s.MessageID)
	}
}

// checkGhost finds messages returned by a receive that began after a delete had been acknowledged (I2).
func (c *check) checkGhost(m *message) {
	for _, d := range m.deletes {
		for _, r := range m.deliveries {
			if d.Answer == OK && r.Of.Start.After(d.End) {
				c.broken(Ghost, m, "was received %s after its delete was acknowledged", r.Of.Start.Sub(d.End))
			}
		}
	}
}

// checkSuperseded finds deletes and changes of a lease that succeeded with the handle of an earlier receive, though another
// receive had returned the message before they began (I3). A client that has lost an answer takes a message that is gone as
// deleted, also when a later receiver did it.
func (c *check) checkSuperseded(m *message) {
	for old, changes := range m.changes {
		for _, ch := range changes {
			for _, r := range m.deliveries {
				if ch.Answer == OK && isLater(r, old) && r.Of.End.Before(ch.Start) {
					c.broken(Superseded, m, "its lease was changed with a handle older than its last receive")
				}
			}
		}
	}
	for _, d := range m.deletes {
		for _, r := range m.deliveries {
			if d.Answer == OK && isLater(r, d.Of) && r.Of.End.Before(d.Start) && !m.othersMayHaveDeleted(d) {
				c.broken(Superseded, m, "was deleted with a handle older than its last receive")
			}
		}
	}
}

// othersMayHaveDeleted says whether another delete may have had an effect before this one ended.
func (m *message) othersMayHaveDeleted(d *Delete) bool {
	return slices.ContainsFunc(m.deletes, func(o *Delete) bool { return o != d && o.Answer != Refused && o.Start.Before(d.End) })
}

// isLater says whether one delivery of a message came after another for certain.
func isLater(a, b *Delivery) bool {
	return a.Of.Start.After(b.Of.End) || a.Count > b.Count && b.Count > 0
}

// checkDenied finds deletes that were told that the message does not exist though nobody else can have deleted it: it was
// there before, since it had been received (I8).
func (c *check) checkDenied(m *message) {
	for _, d := range m.deletes {
		if d.Answer != Refused || d.Code != client.CodeMessageNotFound {
			continue
		}
		gone := slices.ContainsFunc(m.deletes, func(o *Delete) bool { return o != d && o.Answer != Refused && o.Start.Before(d.End) })
		if !gone {
			c.broken(Denied, m, "the delete was told that it does not exist, and nobody had deleted it")
		}
	}
}
