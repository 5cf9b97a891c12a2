package history

import (
	"slices"
	"time"
)

// unseen is how long after its end a request that failed may still take messages, or give back those that it took: longer than
// any work of a node, also of one that was halted meanwhile.
const unseen = time.Minute

// checkCounts finds receive counts that go down or stand still, and deliveries that nobody saw though every receive was
// answered (I4).
func (c *check) checkCounts(m *message) {
	counted := slices.DeleteFunc(slices.Clone(m.deliveries), func(d *Delivery) bool { return d.Count == 0 })
	slices.SortStableFunc(counted, func(a, b *Delivery) int {
		if a.Count != b.Count {
			return a.Count - b.Count
		}
		return a.Of.Start.Compare(b.Of.Start)
	})
	for i, d := range counted {
		before := 0
		if i > 0 {
			before = counted[i-1].Count
			if d.Count == before {
				c.broken(Count, m, "was received twice as number %d", d.Count)
			}
			if d.Of.End.Before(counted[i-1].Of.Start) {
				c.broken(Count, m, "was received as number %d before it was received as number %d", d.Count, before)
			}
		}
		if d.Count > before+1 && !c.mayBeUnseen(d.Of.Queue, c.since(m, counted, i), d.Of.End) {
			c.broken(Count, m, "nobody saw what was between its deliveries %d and %d, and no receive had failed", before, d.Count)
		}
	}
}

// since is the earliest time at which a delivery between the i-th and the one before can have begun.
func (c *check) since(m *message, counted []*Delivery, i int) time.Time {
	if i > 0 {
		return counted[i-1].Of.Start
	}
	if s := c.h.sends[m.body]; s != nil {
		return s.Start
	}
	return time.Time{}
}

// mayBeUnseen says whether a queue may have had a delivery between two times that nobody saw.
func (c *check) mayBeUnseen(queue string, from, to time.Time) bool {
	return c.failures[queue].any(from, to) || c.faults.any(from, to)
}

// spans are times in which something failed, in order and apart from each other once they are merged.
type spans []Span

// merged orders spans and joins those whose effects may overlap.
func merged(s spans) (m spans) {
	slices.SortFunc(s, func(a, b Span) int { return a.Start.Compare(b.Start) })
	for _, span := range s {
		if last := len(m) - 1; last >= 0 && !span.Start.After(m[last].End.Add(unseen)) {
			if span.End.After(m[last].End) {
				m[last].End = span.End
			}
			continue
		}
		m = append(m, span)
	}
	return m
}

// any says whether what failed may have had an effect between two times.
func (s spans) any(from, to time.Time) bool {
	i, _ := slices.BinarySearchFunc(s, from, func(span Span, from time.Time) int { return span.End.Add(unseen).Compare(from) })
	return i < len(s) && !s[i].Start.After(to)
}
