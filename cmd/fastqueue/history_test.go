package main

import (
	"fmt"
	"sync"
	"time"
)

// history is what clients did and saw. Times are the clients' own, of one process, so they can be compared. Workers record
// into it concurrently; findings is called when they have ended.
type history struct {
	mu       sync.Mutex
	sends    map[string]*sendRecord // by body; every body is sent once
	receives []*receiveRecord
	deletes  []*deleteRecord

	sendsOK, deletesOK int // how many were answered with success
}

// answer is what a client knows of the effect of a request.
type answer int

const (
	answeredOK      answer = iota // a success was answered
	answeredRefused               // certainly no effect
	answeredUnknown               // perhaps an effect, now or later
)

type sendRecord struct {
	body, messageID string
	answer          answer
}

// receiveRecord is one message returned by one receive.
type receiveRecord struct {
	start, end              time.Time
	body, messageID, handle string
	lease                   time.Duration
}

type deleteRecord struct {
	start, end time.Time
	of         *receiveRecord
	answer     answer
}

func newHistory() *history { return &history{sends: map[string]*sendRecord{}} }

func (h *history) addSend(r *sendRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends[r.body] = r
	if r.answer == answeredOK {
		h.sendsOK++
	}
}

func (h *history) addReceive(r *receiveRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.receives = append(h.receives, r)
}

func (h *history) addDelete(r *deleteRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deletes = append(h.deletes, r)
	if r.answer == answeredOK {
		h.deletesOK++
	}
}

// acknowledged returns how many sends and deletes were answered with success.
func (h *history) acknowledged() (sends, deletes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sendsOK, h.deletesOK
}

// findings are the broken promises in a history, as sentences.
type findings struct{ lost, ghost, early, phantom, duplicate, superseded []string }

func (f *findings) all() []string {
	var all []string
	for _, kind := range [][]string{f.lost, f.ghost, f.early, f.phantom, f.duplicate, f.superseded} {
		all = append(all, kind...)
	}
	return all
}

// findings checks a history whose queue was drained completely: received and deleted until it held nothing. It is sound,
// not complete: what it reports is a broken promise whatever the order of events inside the cluster was.
func (h *history) findings() *findings {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := &findings{}
	byMessage := map[string][]*receiveRecord{} // by message id
	idOf := map[string]string{}                // body to message id
	for _, r := range h.receives {
		byMessage[r.messageID] = append(byMessage[r.messageID], r)
		h.checkOrigin(f, r)
		if id, seen := idOf[r.body]; seen && id != r.messageID {
			f.duplicate = append(f.duplicate, fmt.Sprintf("%s was sent once and is stored as %s and %s", r.body, id, r.messageID))
		}
		idOf[r.body] = r.messageID
	}
	deletes := map[string][]*deleteRecord{}   // by message id
	deletesOf := map[string][]*deleteRecord{} // by body
	for _, d := range h.deletes {
		deletes[d.of.messageID] = append(deletes[d.of.messageID], d)
		deletesOf[d.of.body] = append(deletesOf[d.of.body], d)
	}
	for _, s := range h.sends {
		checkLost(f, s, deletesOf[s.body])
	}
	for id, receives := range byMessage {
		checkEarly(f, receives)
		checkGhost(f, receives, deletes[id])
		checkSuperseded(f, receives, deletes[id])
	}
	return f
}

// checkOrigin finds phantoms: a received message that nobody sent, whose send was refused, or with another id than the one
// its sender was told.
func (h *history) checkOrigin(f *findings, r *receiveRecord) {
	s := h.sends[r.body]
	switch {
	case s == nil:
		f.phantom = append(f.phantom, fmt.Sprintf("%s %s was received and never sent", r.messageID, r.body))
	case s.answer == answeredRefused:
		f.phantom = append(f.phantom, fmt.Sprintf("%s %s was received though its send was refused", r.messageID, r.body))
	case s.answer == answeredOK && s.messageID != r.messageID:
		f.phantom = append(f.phantom, fmt.Sprintf("%s was received as %s and acknowledged as %s", r.body, r.messageID, s.messageID))
	}
}

// checkLost finds acknowledged messages that are gone though no delete of them can have had an effect.
func checkLost(f *findings, s *sendRecord, deletes []*deleteRecord) {
	if s.answer != answeredOK {
		return
	}
	for _, d := range deletes {
		if d.answer != answeredRefused {
			return
		}
	}
	f.lost = append(f.lost, fmt.Sprintf("%s %s was acknowledged, and is gone though nobody deleted it", s.messageID, s.body))
}

// checkGhost finds messages returned by a receive that began after a delete had been acknowledged.
func checkGhost(f *findings, receives []*receiveRecord, deletes []*deleteRecord) {
	for _, d := range deletes {
		for _, r := range receives {
			if d.answer == answeredOK && r.start.After(d.end) {
				f.ghost = append(f.ghost, fmt.Sprintf("%s %s was received %s after its delete was acknowledged", r.messageID, r.body, r.start.Sub(d.end)))
			}
		}
	}
}

// checkEarly finds two leases of one message that overlap. A lease begins between the start and the end of its receive; so
// the two began at most so far apart as the later end is from the earlier start.
func checkEarly(f *findings, receives []*receiveRecord) {
	for i, a := range receives {
		for _, b := range receives[i+1:] {
			apart := max(b.end.Sub(a.start), a.end.Sub(b.start))
			if apart < shortest(min(a.lease, b.lease)) {
				f.early = append(f.early, fmt.Sprintf("%s %s was received twice within %s, lease %s", a.messageID, a.body, apart, a.lease))
			}
		}
	}
}

// shortest is the least real time that a lease can last: the cluster's clock may run a tenth fast, and a new leader's may
// begin a little later than the old one's ended.
func shortest(lease time.Duration) time.Duration { return lease*9/10 - 100*time.Millisecond }

// checkSuperseded finds deletes that succeeded with the handle of an earlier receive, though another receive had returned
// the message before the delete began.
func checkSuperseded(f *findings, receives []*receiveRecord, deletes []*deleteRecord) {
	for _, d := range deletes {
		for _, r := range receives {
			if d.answer == answeredOK && r.start.After(d.of.end) && r.end.Before(d.start) {
				f.superseded = append(f.superseded, fmt.Sprintf("%s %s was deleted with a handle older than its last receive", r.messageID, r.body))
			}
		}
	}
}
