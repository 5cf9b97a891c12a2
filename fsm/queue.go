package fsm

import (
	"sync/atomic"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// queue is the working copy of one queue: its record and the window over its ready messages. It has one method for each
// arrow of the life cycle in doc.go.
type queue struct {
	rec     *fsmpb.Queue
	window  window[ready]
	dirty   bool // record to be written at the end of the batch
	counted int  // items of the window that are in state.windowItems

	// published is the number of ready messages after the last committed batch, for other goroutines.
	published *atomic.Int64
}

// ready is one message in the window.
type ready struct {
	sequence uint64
	delivery delivery
}

func readyBefore(a, b ready) bool { return a.sequence < b.sequence }

// class is the only class of delivery so far (see store/schema.go).
const class byte = 0

func (s *state) rememberQueue(rec *fsmpb.Queue) *queue {
	q := &queue{rec: rec, published: &atomic.Int64{}}
	q.window = newWindow(s.windowMax, readyBefore, false)
	q.dropWindow()
	s.queues[rec.Name], s.byID[rec.Id] = q, q
	return q
}

func (q *queue) dropWindow() {
	q.window.drop(ready{sequence: q.rec.ReadyLow})
	q.window.complete = q.rec.Ready == 0
}

// length counts every message that is not deleted.
func (q *queue) length() uint64 { return q.rec.Ready + q.rec.Leased + q.rec.Delayed }

// touch has the record written at the end of the batch.
func (s *state) touch(q *queue) {
	if !q.dirty {
		q.dirty = true
		s.dirty = append(s.dirty, q)
	}
}

// push stores a new message, ready at once or after a delay.
func (s *state) push(q *queue, content []byte, delayMS int64) (sequence uint64) {
	s.touch(q)
	sequence = q.rec.NextSequence
	q.rec.NextSequence++
	s.batch.Add(store.MessageKey(q.rec.Id, sequence), s.encode(&fsmpb.Message{SentMs: s.now, Content: content}))
	m := delivery{size: uint32(len(content))}
	if delayMS <= 0 {
		s.makeReady(q, sequence, m)
		return sequence
	}
	m.until = s.now + delayMS
	s.makeUnready(q, sequence, m)
	return sequence
}

// firstReady returns the message to deliver next.
func (s *state) firstReady(q *queue) (ready, bool) {
	return q.window.first(func(from ready, max int) []ready {
		items := make([]ready, 0, max)
		_, upper := store.Ready(q.rec.Id)
		s.batch.Scan(store.ReadyKey(q.rec.Id, class, from.sequence), upper, func(key, value []byte) bool {
			items = append(items, ready{store.ReadySequence(key), s.decodeDelivery(key, value)})
			return len(items) < max
		})
		return items
	})
}

// take removes the message that firstReady returned from the ready ones.
func (s *state) take(q *queue, m ready) {
	s.touch(q)
	q.window.pop()
	s.batch.Delete(store.ReadyKey(q.rec.Id, class, m.sequence))
	q.rec.Ready--
	// What was taken was the first, so nothing ready comes before its successor until something returns. This bound
	// follows from the commands alone, not from the window, and so is the same on every replica.
	q.rec.ReadyLow = m.sequence + 1
}

// removeReady removes any ready message.
func (s *state) removeReady(q *queue, sequence uint64) {
	s.touch(q)
	q.window.remove(ready{sequence: sequence})
	s.batch.Delete(store.ReadyKey(q.rec.Id, class, sequence))
	q.rec.Ready--
}

// makeReady puts a message into its place among the ready ones.
func (s *state) makeReady(q *queue, sequence uint64, m delivery) {
	s.touch(q)
	m.until, m.leased = 0, false
	s.batch.Add(store.ReadyKey(q.rec.Id, class, sequence), m.encode())
	q.window.insert(ready{sequence, m})
	q.rec.Ready++
	q.rec.ReadyLow = min(q.rec.ReadyLow, sequence)
}

// makeUnready stores a message that is leased or delayed until m.until.
func (s *state) makeUnready(q *queue, sequence uint64, m delivery) {
	s.touch(q)
	s.batch.Add(store.UnreadyKey(q.rec.Id, sequence), m.encode())
	s.addDue(dueOf(q, sequence, m))
	*q.counter(m)++
}

// removeUnready removes a leased or delayed message; its key among the due work goes too.
func (s *state) removeUnready(q *queue, sequence uint64, m delivery) {
	s.touch(q)
	s.batch.Delete(store.UnreadyKey(q.rec.Id, sequence))
	s.removeDue(dueOf(q, sequence, m))
	*q.counter(m)--
}

// unreadyToReady is the end of a lease or a delay.
func (s *state) unreadyToReady(q *queue, sequence uint64, m delivery) {
	s.removeUnready(q, sequence, m)
	s.makeReady(q, sequence, m)
}

// deleteContent removes the unchanging part of a message.
func (s *state) deleteContent(q *queue, sequence uint64) {
	s.batch.Delete(store.MessageKey(q.rec.Id, sequence))
}

// counter is the number in the record that counts messages in this state.
func (q *queue) counter(m delivery) *uint64 {
	if m.leased {
		return &q.rec.Leased
	}
	return &q.rec.Delayed
}

func dueOf(q *queue, sequence uint64, m delivery) store.Due {
	return store.Due{At: m.until, Kind: store.DueMessage, Owner: q.rec.Id, Sequence: sequence}
}

// info is what the API shows of the queue.
func info(rec *fsmpb.Queue) *fsmpb.QueueInfo {
	return &fsmpb.QueueInfo{
		Name: rec.Name, Settings: rec.Settings,
		Ready: rec.Ready, Leased: rec.Leased, Delayed: rec.Delayed,
		CreatedMs: rec.CreatedMs,
	}
}
