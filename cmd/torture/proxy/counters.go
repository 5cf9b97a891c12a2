package proxy

import "sync/atomic"

// Counters are totals since the proxy began to listen: the evidence that a fault took effect.
type Counters struct {
	Accepted    uint64 // connections that were led to the target
	Refused     uint64 // connections ended because of Refuse, or that could not be accepted
	Unreachable uint64 // connections ended because the target could not be dialled
	Reset       uint64 // connections that the proxy reset, for whatever reason
	Requests    Flow   // from those who dial to the target
	Responses   Flow   // from the target to those who dialled
}

// Flow counts one direction.
type Flow struct {
	Bytes   uint64 // delivered
	Delayed uint64 // bytes that waited for Delay or BytesPerSecond
	Held    uint64 // bytes that waited for the end of Hold
	Dropped uint64 // bytes swallowed by Drop
	Cut     uint64 // connections that lost bytes or their end in this direction
}

// Sub returns what was counted since earlier.
func (c Counters) Sub(earlier Counters) Counters {
	return Counters{
		Accepted: c.Accepted - earlier.Accepted, Refused: c.Refused - earlier.Refused,
		Unreachable: c.Unreachable - earlier.Unreachable, Reset: c.Reset - earlier.Reset,
		Requests: c.Requests.sub(earlier.Requests), Responses: c.Responses.sub(earlier.Responses),
	}
}

func (f Flow) sub(e Flow) Flow {
	return Flow{
		Bytes: f.Bytes - e.Bytes, Delayed: f.Delayed - e.Delayed, Held: f.Held - e.Held,
		Dropped: f.Dropped - e.Dropped, Cut: f.Cut - e.Cut,
	}
}

type counters struct{ accepted, refused, unreachable, reset atomic.Uint64 }

type flow struct{ bytes, delayed, held, dropped, cut atomic.Uint64 }

func (f *flow) read() Flow {
	return Flow{
		Bytes: f.bytes.Load(), Delayed: f.delayed.Load(), Held: f.held.Load(), Dropped: f.dropped.Load(), Cut: f.cut.Load(),
	}
}
