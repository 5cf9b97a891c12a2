package history

import (
	"slices"
	"time"
)

// checkLeases finds two leases of one message that overlap, and messages received before their delay was over (I3).
func (c *check) checkLeases(m *message) {
	for i, a := range m.deliveries {
		for _, b := range m.deliveries[i+1:] {
			if !c.maySucceed(m, a, b) && !c.maySucceed(m, b, a) {
				c.broken(Early, m, "was received twice within %s, lease %s", apart(a, b).Round(time.Millisecond), min(a.Lease, b.Lease))
			}
		}
	}
	s := c.h.sends[m.body]
	if s == nil || s.Delay == 0 {
		return
	}
	for _, d := range m.deliveries {
		if took := d.Of.End.Sub(s.Start); took < shortest(s.Delay) {
			c.broken(Early, m, "was received %s after it was sent with a delay of %s", took.Round(time.Millisecond), s.Delay)
		}
	}
}

// maySucceed says whether b may have been received after the lease of a had ended.
func (c *check) maySucceed(m *message, a, b *Delivery) bool {
	var before []*Change // those made afterwards changed nothing for b
	for _, ch := range m.changes[a] {
		if ch.Start.Before(b.Of.End) {
			before = append(before, ch)
		}
	}
	return !b.Of.End.Before(earliestEnd(a, before))
}

// earliestEnd is the earliest time at which the lease of a delivery can have ended. A lease begins between the start and the
// end of its receive. A change may make it shorter or longer: what was answered with success did, and the lease lasted until
// then; what has an unknown outcome counts only if it makes the lease shorter.
func earliestEnd(d *Delivery, changes []*Change) time.Time {
	end := d.Of.Start.Add(shortest(d.Lease))
	ordered := slices.SortedFunc(slices.Values(changes), func(a, b *Change) int { return a.Start.Compare(b.Start) })
	for i, ch := range ordered {
		if ch.Answer == Refused {
			continue
		}
		changed := ch.Start.Add(shortest(ch.Lease))
		overlaps := i > 0 && !ch.Start.After(ordered[i-1].End) || i+1 < len(ordered) && !ordered[i+1].Start.After(ch.End)
		if ch.Answer == OK && !overlaps {
			end = changed
		} else {
			end = earlier(end, changed)
		}
	}
	// One with an unknown outcome may come after all the others.
	for _, ch := range ordered {
		if ch.Answer == Unknown {
			end = earlier(end, ch.Start.Add(shortest(ch.Lease)))
		}
	}
	return end
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// apart is the longest time that two leases can have begun one after the other.
func apart(a, b *Delivery) time.Duration {
	return max(b.Of.End.Sub(a.Of.Start), a.Of.End.Sub(b.Of.Start))
}

// shortest is the least real time that a lease can last: the cluster's clock may run a tenth fast, and a new leader's may
// begin a little later than the old one's ended.
func shortest(lease time.Duration) time.Duration { return max(0, lease*9/10-100*time.Millisecond) }
