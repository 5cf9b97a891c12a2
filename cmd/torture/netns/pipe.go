package netns

import (
	"bytes"
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// pipe carries the packets from one node to another. There is one for each ordered pair.
type pipe struct {
	deliver func(packet []byte) // to the receiving node; keeps nothing of packet
	back    func(packet []byte) // to the sending node
	wake    chan struct{}       // a token when the first of underway has changed

	mu        sync.Mutex // held while packets are delivered, which keeps their order
	rule      Rule
	flow      Flow
	chance    *rand.Rand
	busyUntil time.Time // when a slow link is free again
	underway  schedule
	sent      uint64 // numbers packets
	newest    uint64 // highest number delivered
}

func newPipe(deliver, back func([]byte), seed, stream uint64) *pipe {
	return &pipe{
		deliver: deliver, back: back, wake: make(chan struct{}, 1), chance: rand.New(rand.NewPCG(seed, stream)),
	}
}

// set replaces the rule. Packets underway keep their time of arrival, unless the new rule cuts.
func (p *pipe) set(r Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule, p.busyUntil = r, time.Time{}
	if r.Cut && r.OnlyFrom == 0 {
		p.flow.Cut += uint64(len(p.underway))
		p.underway = nil
	}
}

func (p *pipe) counters() Flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flow
}

// send puts a packet on its way. It keeps nothing of packet.
func (p *pipe) send(packet []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.rule
	if r.Cut && p.cut(packet) {
		return
	}
	if r.Loss > 0 && p.chance.Float64() < r.Loss {
		p.flow.Lost++
		return
	}
	due := time.Now()
	if r.BytesPerSecond > 0 {
		var ok bool
		if due, ok = p.reserve(due, len(packet)); !ok {
			p.flow.Overflown++
			return
		}
	}
	p.push(due, packet)
	if r.Double > 0 && p.chance.Float64() < r.Double {
		p.flow.Doubled++
		p.push(due, packet)
	}
}

// cut takes a packet unless it is one that the rule spares.
func (p *pipe) cut(packet []byte) bool {
	s, ok := parseSegment(packet)
	if p.rule.OnlyFrom != 0 && (!ok || s.srcPort != p.rule.OnlyFrom) {
		return false
	}
	p.flow.Cut++
	if p.rule.Reset && ok && s.payload > 0 && !s.reset {
		p.flow.Reset++
		toSender, toReceiver := s.resets()
		p.back(toSender)
		p.deliver(toReceiver)
	}
	return true
}

// reserve takes the slow link for n bytes and returns when they are through, or not ok when too many wait.
func (p *pipe) reserve(now time.Time, n int) (through time.Time, ok bool) {
	if p.busyUntil.Before(now) {
		p.busyUntil = now
	}
	waiting := p.busyUntil.Sub(now).Seconds() * float64(p.rule.BytesPerSecond)
	if waiting > waitingBytes {
		return now, false
	}
	seconds := float64(n) / float64(p.rule.BytesPerSecond)
	p.busyUntil = p.busyUntil.Add(time.Duration(seconds * float64(time.Second)))
	return p.busyUntil, true
}

// push delivers a packet now if it is due and nothing is before it, and has run deliver it otherwise.
func (p *pipe) push(due time.Time, packet []byte) {
	p.sent++
	due = due.Add(p.rule.Delay)
	if p.rule.Jitter > 0 {
		due = due.Add(time.Duration(p.chance.Float64() * float64(p.rule.Jitter)))
	}
	if len(p.underway) == 0 && !time.Now().Before(due) {
		p.arrive(p.sent, packet)
		return
	}
	p.flow.Late++
	heap.Push(&p.underway, parcel{due: due, number: p.sent, packet: bytes.Clone(packet)})
	if p.underway[0].number == p.sent {
		select {
		case p.wake <- struct{}{}:
		default: // a token is there
		}
	}
}

func (p *pipe) arrive(number uint64, packet []byte) {
	if number < p.newest {
		p.flow.Overtaken++
	}
	p.newest = max(p.newest, number)
	p.flow.Packets++
	p.flow.Bytes += uint64(len(packet))
	p.deliver(packet)
}

// run delivers late packets until ctx ends.
func (p *pipe) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-p.wake:
		case <-ctx.Done():
			return
		}
		if next, ok := p.deliverDue(); ok {
			timer.Reset(time.Until(next))
		}
	}
}

// deliverDue delivers what is due and returns when the next packet is.
func (p *pipe) deliverDue() (next time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.underway) > 0 {
		if first := p.underway[0]; time.Now().Before(first.due) {
			return first.due, true
		}
		first := heap.Pop(&p.underway).(parcel)
		p.arrive(first.number, first.packet)
	}
	return next, false
}
