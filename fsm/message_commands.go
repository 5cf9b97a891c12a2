package fsm

import (
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// applySendMessage decides max_length message by message: of ten with three places left the first three succeed.
func (s *state) applySendMessage(c *fsmpb.SendMessage) *fsmpb.Result {
	q := s.queues[c.Queue]
	if q == nil {
		return queueNotFound()
	}
	sent, each := make([]*fsmpb.SentMessage, len(c.Messages)), make([]fsmpb.SentMessage, len(c.Messages))
	for i, m := range c.Messages {
		sent[i] = &each[i]
		if q.length() >= q.rec.Settings.GetMaxLength() {
			sent[i].Error = refuse(CodeQueueFull,
				"The queue holds %d messages and its max_length is %d; receive and delete some, or raise max_length.",
				q.length(), q.rec.Settings.GetMaxLength())
			continue
		}
		sent[i].Sequence = s.push(q, m.Content, int64(m.DelayS)*1000)
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Send{Send: &fsmpb.SendResult{Queue: q.rec.Id, Messages: sent}}}
}

func (s *state) applyReceiveMessage(c *fsmpb.ReceiveMessage) *fsmpb.Result {
	q := s.queues[c.Queue]
	if q == nil {
		return queueNotFound()
	}
	if q.rec.Leased >= MaxLeasesPerQueue {
		remedy := "delete some, or wait until their leases end"
		if len(c.Delete) > 0 {
			remedy += "; of the deletes of this request none was made"
		}
		return limitReached("The queue", int(q.rec.Leased), "received messages that are not deleted", MaxLeasesPerQueue, remedy)
	}
	visibility := int64(q.rec.Settings.GetVisibilityTimeoutS())
	if c.VisibilityTimeoutS != nil {
		visibility = int64(*c.VisibilityTimeoutS)
	}
	result := &fsmpb.ReceiveResult{Queue: q.rec.Id}
	for _, r := range c.Delete {
		result.DeleteErrors = append(result.DeleteErrors, s.deleteMessage(q, r))
	}
	var visible []ready // handed out under a timeout of zero: ready again, but only after this receive
	bytes := 0
	for len(result.Deliveries) < int(c.Max) && q.rec.Leased < MaxLeasesPerQueue {
		m, ok := s.firstReady(q)
		if !ok || (bytes > 0 && bytes+int(m.delivery.size) > MaxReceiveBytes) {
			break
		}
		bytes += int(m.delivery.size)
		s.take(q, m)
		result.Deliveries = append(result.Deliveries, s.lease(&m, visibility*1000))
		if visibility == 0 {
			visible = append(visible, m)
		} else {
			s.makeUnready(q, m.sequence, m.delivery)
		}
	}
	for _, m := range visible {
		s.makeReady(q, m.sequence, m.delivery)
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Receive{Receive: result}}
}

// lease counts a delivery of m and sets its deadline.
func (s *state) lease(m *ready, visibilityMS int64) *fsmpb.Delivery {
	d := &m.delivery
	d.number++
	d.count++
	d.until = s.now + visibilityMS
	d.leased = true
	if d.first == 0 {
		d.first = s.now
	}
	return &fsmpb.Delivery{
		Sequence: m.sequence, Delivery: d.number, Count: d.count,
		DeadlineMs: d.until, FirstReceiveMs: d.first,
	}
}

func (s *state) applyDeleteMessage(c *fsmpb.DeleteMessage) *fsmpb.Result {
	q := s.queues[c.Queue]
	if q == nil {
		return queueNotFound()
	}
	errors := make([]*fsmpb.Error, len(c.Receipts))
	for i, r := range c.Receipts {
		errors[i] = s.deleteMessage(q, r)
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Delete{Delete: &fsmpb.DeleteResult{Errors: errors}}}
}

// deleteMessage deletes the message of the last delivery, whether its lease still runs or has ended.
func (s *state) deleteMessage(q *queue, r *fsmpb.Receipt) *fsmpb.Error {
	m, ready, err := s.delivered(q, r)
	if err.GetCode() != "" {
		return err
	}
	if ready {
		s.removeReady(q, r.Sequence)
	} else {
		s.removeUnready(q, r.Sequence, m)
	}
	s.deleteContent(q, r.Sequence)
	return err
}

// delivered finds the message whose last delivery a receipt names. The error always exists; an empty code means found.
func (s *state) delivered(q *queue, r *fsmpb.Receipt) (m delivery, ready bool, err *fsmpb.Error) {
	if r.GetQueue() != q.rec.Id { // also without a receipt
		return m, false, refuse(CodeMessageNotFound, "Message not found: this is not a receipt handle of this queue.")
	}
	key := store.UnreadyKey(q.rec.Id, r.Sequence)
	v, ok := s.batch.Get(key)
	if !ok {
		key = store.ReadyKey(q.rec.Id, class, r.Sequence)
		if v, ok = s.batch.Get(key); !ok {
			return m, false, refuse(CodeMessageNotFound, "Message not found: it was deleted before.")
		}
		ready = true
	}
	if m = s.decodeDelivery(key, v); m.number != r.Delivery {
		return m, ready, refuse(CodeReceiptSuperseded, "Message not found under this receipt handle: the message was received again since; use the newer handle.")
	}
	return m, ready, &fsmpb.Error{}
}

// applyChangeVisibility lets leases end at another time. A message whose lease has ended already can't be leased again
// this way: it may be received by somebody else at any moment.
func (s *state) applyChangeVisibility(c *fsmpb.ChangeVisibility) *fsmpb.Result {
	q := s.queues[c.Queue]
	if q == nil {
		return queueNotFound()
	}
	errors := make([]*fsmpb.Error, len(c.Changes))
	for i, change := range c.Changes {
		errors[i] = s.changeVisibility(q, change)
	}
	return &fsmpb.Result{Value: &fsmpb.Result_ChangeVisibility{ChangeVisibility: &fsmpb.DeleteResult{Errors: errors}}}
}

func (s *state) changeVisibility(q *queue, c *fsmpb.VisibilityChange) *fsmpb.Error {
	sequence := c.Receipt.GetSequence()
	m, ready, err := s.delivered(q, c.Receipt)
	if err.GetCode() != "" {
		return err
	}
	if ready {
		return refuse(CodeMessageNotLeased, "The lease of the message has ended; receive it again.")
	}
	s.removeUnready(q, sequence, m)
	if c.VisibilityTimeoutS == 0 {
		s.makeReady(q, sequence, m)
		return err
	}
	m.until = s.now + int64(c.VisibilityTimeoutS)*1000
	s.makeUnready(q, sequence, m)
	return err
}

// applyReleaseMessage undoes receives whose answers reached nobody: the messages are ready at once and the receive does
// not count. The delivery's number is not given out again, so a handle that did get out stays superseded.
func (s *state) applyReleaseMessage(c *fsmpb.ReleaseMessage) *fsmpb.Result {
	for _, r := range c.Receipts {
		q := s.byID[r.Queue]
		if q == nil {
			continue
		}
		m, ready, err := s.delivered(q, r)
		if err.GetCode() != "" || ready {
			continue
		}
		s.removeUnready(q, r.Sequence, m)
		m.count--
		s.makeReady(q, r.Sequence, m)
	}
	return &fsmpb.Result{}
}
