package proxy

import (
	"math/rand/v2"
	"sync"
	"time"
)

// lane is one direction of a proxy, for all its connections.
type lane struct {
	flow flow

	mu        sync.Mutex
	rule      Rule
	changed   chan struct{} // closed when rule is replaced
	busyUntil time.Time     // when a limited link is free again
	chance    *rand.Rand
}

func newLane(seed, stream uint64) *lane {
	return &lane{changed: make(chan struct{}), chance: rand.New(rand.NewPCG(seed, stream))}
}

func (l *lane) set(r Rule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r == l.rule { // what waits goes on waiting for its turn
		return
	}
	l.rule, l.busyUntil = r, time.Time{}
	close(l.changed)
	l.changed = make(chan struct{})
}

// current returns the rule and what is closed when it no longer holds.
func (l *lane) current() (Rule, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rule, l.changed
}

// chunk is what one read brought: bytes, or how the stream ended.
type chunk struct {
	bytes   []byte
	end     ending
	arrived time.Time
	luck    float64 // the part of Jitter that it waits for
}

// ending is how a stream ends.
type ending int

const (
	goesOn   ending = iota
	finished        // no more bytes will come
	broken          // the connection was reset
)

func (l *lane) newChunk(b []byte, end ending) chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	return chunk{bytes: b, end: end, arrived: time.Now(), luck: l.chance.Float64()}
}

// fate is what becomes of a chunk.
type fate int

const (
	deliver fate = iota
	swallow
	forget // the connection has ended meanwhile
)

// decide returns when c's fate is known: when it has waited for as long as the rules of that time want.
func (l *lane) decide(c chunk, done <-chan struct{}) fate {
	var delayed, held, paced bool
	var free time.Time
	for {
		rule, changed := l.current()
		var until time.Time // zero: the next rule
		switch due := c.arrived.Add(rule.Delay + time.Duration(c.luck*float64(rule.Jitter))); {
		case rule.Drop:
			return swallow
		case rule.Hold:
			held = count(&l.flow.held, len(c.bytes), held)
		case time.Now().Before(due):
			until = due
			delayed = count(&l.flow.delayed, len(c.bytes), delayed)
		case rule.BytesPerSecond > 0:
			if !paced {
				free, paced = l.reserve(len(c.bytes), rule.BytesPerSecond), true
			}
			if !time.Now().Before(free) {
				return deliver
			}
			until = free
			delayed = count(&l.flow.delayed, len(c.bytes), delayed)
		default:
			return deliver
		}
		switch wait(until, changed, done) {
		case endDone:
			return forget
		case endChanged:
			paced = false
		}
	}
}

// reserve takes a limited link for n bytes, behind all others that wait for it, and returns when they are through.
func (l *lane) reserve(n, bytesPerSecond int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.busyUntil.Before(now) {
		l.busyUntil = now
	}
	l.busyUntil = l.busyUntil.Add(time.Duration(float64(n) / float64(bytesPerSecond) * float64(time.Second)))
	return l.busyUntil
}

// opens waits until the rule lets something through. It returns false when the connection has ended.
func (l *lane) opens(done <-chan struct{}) bool {
	for {
		rule, changed := l.current()
		if !rule.stops() {
			return true
		}
		if wait(time.Time{}, changed, done) == endDone {
			return false
		}
	}
}
