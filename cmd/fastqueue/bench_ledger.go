package main

import (
	"fmt"
	"strconv"
	"sync"
)

// labelBytes is the length of a label at the head of a message's body; see appendLabel.
const labelBytes = 8 + 1 + 12 + 1

// label names a message: who sent it, and its place among the messages of that sender.
type label struct{ sender, number int }

// appendLabel writes a label as fixed-width text that JSON leaves alone.
func appendLabel(b []byte, l label) []byte { return fmt.Appendf(b, "%08x-%012x.", l.sender, l.number) }

// parseLabel reads the label at the head of a message's body.
func parseLabel(body string) (label, bool) {
	if len(body) < labelBytes || body[8] != '-' || body[labelBytes-1] != '.' {
		return label{}, false
	}
	sender, err1 := strconv.ParseUint(body[:8], 16, 31)
	number, err2 := strconv.ParseUint(body[9:labelBytes-1], 16, 48)
	return label{int(sender), int(number)}, err1 == nil && err2 == nil
}

// What the ledger knows of a message; bits of one byte.
const (
	acknowledged uint8 = 1 << iota // its send was answered with success
	received                       // at least once
	mayReturn                      // a delete of it failed: another receive is no fault
)

// ledger remembers every message of a run. It is safe for concurrent use; senders do not disturb each other.
type ledger struct{ senders []senderLedger }

type senderLedger struct {
	mu         sync.Mutex
	states     []uint8 // by number
	duplicated int
	outOfOrder int
}

func newLedger(senders int) *ledger { return &ledger{senders: make([]senderLedger, senders)} }

// reserve returns the label of the sender's next message.
func (l *ledger) reserve(sender int) label {
	s := &l.senders[sender]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, 0)
	return label{sender, len(s.states) - 1}
}

// mark adds to what is known of a message.
func (l *ledger) mark(m label, bits uint8) {
	s := &l.senders[m.sender]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[m.number] |= bits
}

// receive notes that a receiver got a message, and reports whether the message is one of this run. newest holds, per sender,
// the largest number that this receiver has seen; nobody else may use it.
func (l *ledger) receive(m label, newest []int) bool {
	if m.sender >= len(l.senders) {
		return false
	}
	s := &l.senders[m.sender]
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.number >= len(s.states) {
		return false
	}
	// A send without an answer may be stored late, and a message whose delete failed may come back: neither is a fault.
	before := s.states[m.number]
	faultless := before&acknowledged == 0 || before&mayReturn != 0
	switch {
	case before&received != 0 && !faultless:
		s.duplicated++
	case before&received == 0 && m.number < newest[m.sender] && !faultless:
		s.outOfOrder++
	}
	s.states[m.number] |= received
	newest[m.sender] = max(newest[m.sender], m.number)
	return true
}

// verdict is what a run's messages came to.
type verdict struct{ acknowledged, received, lost, duplicated, outOfOrder int }

// verdict counts, after the queue was drained.
func (l *ledger) verdict() verdict {
	var v verdict
	for i := range l.senders {
		s := &l.senders[i]
		s.mu.Lock()
		v.duplicated += s.duplicated
		v.outOfOrder += s.outOfOrder
		for _, state := range s.states {
			if state&received != 0 {
				v.received++
			}
			if state&acknowledged != 0 {
				v.acknowledged++
				if state&received == 0 {
					v.lost++
				}
			}
		}
		s.mu.Unlock()
	}
	return v
}
