package history

import (
	"cmp"
	"slices"
	"time"
)

// checkOrder finds what was received out of its place (I5): within one answer, past a message that was ready all the while,
// or not at all though a message was ready all the while. A message is ready for certain from the answer to its send until the
// first receive that returned it began, if that was its first delivery. A failed request may have taken it meanwhile and given
// it back, so nothing is said of the time near one.
func (c *check) checkOrder() {
	byQueue := map[string][]*Receive{}
	for _, r := range c.h.receives {
		byQueue[r.Queue] = append(byQueue[r.Queue], r)
		for i, d := range r.Deliveries {
			if i > 0 && d.MessageID <= r.Deliveries[i-1].MessageID {
				c.found(Order, "one answer holds %s %s behind %s", d.MessageID, brief(d.Body), r.Deliveries[i-1].MessageID)
			}
		}
	}
	ready := c.certainlyReady()
	for queue, receives := range byQueue {
		c.checkOvertaking(receives, ready[queue])
	}
}

// readiness is a time in which a message was ready for certain.
type readiness struct {
	id          string
	from, until time.Time
}

func (c *check) certainlyReady() map[string][]readiness {
	ready := map[string][]readiness{}
	for id, m := range c.messages {
		s := c.h.sends[m.body]
		if s == nil || s.Answer != OK || s.MessageID != id || s.Delay > 0 {
			continue
		}
		first := slices.MinFunc(m.deliveries, func(a, b *Delivery) int { return a.Of.Start.Compare(b.Of.Start) })
		if first.Count != 1 {
			continue
		}
		ready[s.Queue] = append(ready[s.Queue], readiness{id, s.End, first.Of.Start})
	}
	return ready
}

// checkOvertaking looks, for each receive in the order of their starts, for a message that was ready since before the receive
// and until after it, and whose place is before one that was taken, or anywhere if nothing was. Ids of a queue's messages sort
// like their places.
func (c *check) checkOvertaking(receives []*Receive, ready []readiness) {
	slices.SortFunc(receives, func(a, b *Receive) int { return a.Start.Compare(b.Start) })
	places := slices.Clone(ready)
	slices.SortFunc(places, func(a, b readiness) int { return cmp.Compare(a.id, b.id) })
	slices.SortFunc(ready, func(a, b readiness) int { return a.from.Compare(b.from) })
	longest := newLongest(len(places))
	placeOf := func(id string) int {
		i, _ := slices.BinarySearchFunc(places, id, func(r readiness, id string) int { return cmp.Compare(r.id, id) })
		return i
	}
	next := 0
	for _, r := range receives {
		for ; next < len(ready) && ready[next].from.Before(r.Start); next++ {
			longest.add(placeOf(ready[next].id), &ready[next])
		}
		if r.Answer != OK || c.failures[r.Queue].any(r.Start, r.End) {
			continue
		}
		limit := len(places)
		if n := len(r.Deliveries); n > 0 {
			limit = placeOf(r.Deliveries[n-1].MessageID)
		}
		m := longest.before(limit)
		switch {
		case m == nil || !m.until.After(r.End):
		case len(r.Deliveries) == 0:
			c.broken(Empty, c.messages[m.id], "was ready all the while, and a receive %s found nothing", r.Span)
		default:
			c.broken(Order, c.messages[m.id], "was ready all the while, and a receive %s took %s", r.Span, r.Deliveries[len(r.Deliveries)-1].MessageID)
		}
	}
}

// longest answers which of the messages in the first places stays ready longest. It is a Fenwick tree of maxima.
type longest struct{ tree []*readiness }

func newLongest(n int) *longest { return &longest{make([]*readiness, n+1)} }

func (l *longest) add(place int, r *readiness) {
	for i := place + 1; i < len(l.tree); i += i & -i {
		l.tree[i] = later(l.tree[i], r)
	}
}

// before returns the message in a place below the given one that stays ready longest; nil if there is none.
func (l *longest) before(place int) (best *readiness) {
	for i := place; i > 0; i -= i & -i {
		best = later(best, l.tree[i])
	}
	return best
}

func later(a, b *readiness) *readiness {
	if a == nil || b != nil && b.until.After(a.until) {
		return b
	}
	return a
}
