package proxy

import "time"

// Rule says what happens to the bytes of one direction. The zero Rule passes everything at once.
type Rule struct {
	// Delay is added to the way of every byte, and a random part of Jitter to that. Bytes never overtake each other.
	Delay, Jitter time.Duration
	// BytesPerSecond is what all connections together may carry in this direction; 0 is no limit.
	BytesPerSecond int
	// Hold lets nothing through, not even the end of a connection: both sides believe that it is open. When Hold ends,
	// what was held arrives, as after a partition that TCP survived.
	Hold bool
	// Drop swallows what comes, for good. The connection stays open and silent until the rule changes, and is reset then.
	Drop bool
	// Reset ends a connection at the first byte that Drop swallows.
	Reset bool
}

// stops reports whether the rule lets nothing through.
func (r Rule) stops() bool { return r.Hold || r.Drop }

// Lost are the rules of lost responses: requests arrive and take effect, their answers never come. With reset the client
// learns that at once, otherwise it waits for as long as it cares to.
func Lost(reset bool) (requests, responses Rule) {
	return Rule{}, Rule{Drop: true, Reset: reset}
}

// HalfOpen are the rules of connections whose other end has gone without a word.
func HalfOpen() (requests, responses Rule) {
	return Rule{Hold: true}, Rule{Hold: true}
}

// Slow are the rules of a link that carries so many bytes per second in each direction.
func Slow(bytesPerSecond int) (requests, responses Rule) {
	r := Rule{BytesPerSecond: bytesPerSecond}
	return r, r
}

// Late are the rules of a long way: delay and a random part of jitter in each direction.
func Late(delay, jitter time.Duration) (requests, responses Rule) {
	r := Rule{Delay: delay, Jitter: jitter}
	return r, r
}
