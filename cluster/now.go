package cluster

import "time"

// moment ties what a wall clock shows to this machine's monotonic clock: it can be read later, whatever becomes of this
// machine's own wall clock.
type moment struct {
	at time.Time // with its monotonic reading
	ms int64     // what the clock showed then, in milliseconds since 1970
}

// readBetween is when another node read its clock, which said so many milliseconds, if it was asked at a time that was own on
// this node's clock and its answer took so long. Of all moments in between the one is taken at which the two clocks said the
// same, or the nearest: clocks that are equal stay equal, however long an answer takes on a busy machine.
func readBetween(asked time.Time, took time.Duration, own, said int64) *moment {
	apart := time.Duration(said-own) * time.Millisecond
	return &moment{at: asked.Add(min(max(0, apart), took)), ms: said}
}

// read is what the clock shows now.
func (m moment) read(now time.Time) time.Time { return time.UnixMilli(m.ms).Add(now.Sub(m.at)) }

// Now is the time by which this node judges what it was sent: the lower median of the clocks of the voters that it last
// heard of, so that one wrong clock, its own or another's, lets nothing expire early; or the clock of this node's state where
// that is later. Until it has heard of enough of them it takes its own clock.
func (n *Node) Now() time.Time {
	now := n.config.Wall()
	r := n.replica.Load()
	if r == nil {
		return now
	}
	if m := r.agreed.Load(); m != nil {
		now = m.read(time.Now())
	}
	if state := time.UnixMilli(r.fsm.Now()); state.After(now) {
		return state
	}
	return now
}

// noteClocks takes the clocks of the voters, if a majority of them was heard of lately. When some are missing and the others
// differ, one wrong clock may be the median, and what was taken before goes on.
func (n *Node) noteClocks(r *replica) {
	voters := r.voters()
	var clocks []int64
	m := moment{at: time.Now()}
	for _, id := range voters {
		if id == r.id {
			clocks = append(clocks, n.config.Wall().UnixMilli())
		} else if s, ok := n.aliveStatus(id); ok {
			clocks = append(clocks, moment{at: s.at, ms: s.WallMs}.read(m.at).UnixMilli())
		}
	}
	if len(clocks) <= len(voters)/2 {
		return
	}
	if target, certain := judgeClocks(clocks, len(clocks) == len(voters)); certain {
		m.ms = target
		r.agreed.Store(&m)
	}
}
