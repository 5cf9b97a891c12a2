package fsm

import (
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

func (s *state) applyCreateQueue(owner *fsmpb.User, c *fsmpb.CreateQueue) *fsmpb.Result {
	if s.queues[c.Name] != nil {
		return refused(CodeQueueExists, "Queue with the given name already exists.")
	}
	if len(s.queues) >= MaxQueues {
		return limitReached("The cluster", len(s.queues), "queues", MaxQueues, "delete one first")
	}
	q := s.rememberQueue(&fsmpb.Queue{
		Id: s.newID(), Name: c.Name, Settings: c.Settings, CreatedMs: s.now,
		NextSequence: 1, ReadyLow: 1, Owner: owner.Id,
	})
	s.touch(q)
	return queueResult(q)
}

func (s *state) applyUpdateQueue(c *fsmpb.UpdateQueue) *fsmpb.Result {
	q := s.queues[c.Name]
	if q == nil {
		return queueNotFound()
	}
	s.touch(q)
	// The settings are replaced, not changed: results that other goroutines read share the old ones.
	next := &fsmpb.QueueSettings{
		MaxLength:          q.rec.Settings.GetMaxLength(),
		VisibilityTimeoutS: q.rec.Settings.GetVisibilityTimeoutS(),
	}
	if c.MaxLength != nil {
		next.MaxLength = *c.MaxLength
	}
	if c.VisibilityTimeoutS != nil {
		next.VisibilityTimeoutS = *c.VisibilityTimeoutS
	}
	q.rec.Settings = next
	return queueResult(q)
}

// applyDeleteQueue costs the same whatever the queue holds: ranges are deleted, and keys among the due work stay behind.
func (s *state) applyDeleteQueue(c *fsmpb.DeleteQueue) *fsmpb.Result {
	q := s.queues[c.Name]
	if q == nil {
		return queueNotFound()
	}
	s.touch(q) // nothing is written, but the rest of the process is told
	delete(s.queues, q.rec.Name)
	delete(s.byID, q.rec.Id)
	s.batch.Delete(store.QueueKey(q.rec.Name))
	s.deleteMessages(q)
	return &fsmpb.Result{}
}

// applyPurgeQueue deletes what the queue holds, ready, leased and delayed, at the same cost whatever that is. Receipts from
// before find nothing: sequences are not used again.
func (s *state) applyPurgeQueue(c *fsmpb.PurgeQueue) *fsmpb.Result {
	q := s.queues[c.Name]
	if q == nil {
		return queueNotFound()
	}
	s.touch(q)
	s.deleteMessages(q)
	q.rec.Ready, q.rec.Leased, q.rec.Delayed = 0, 0, 0
	q.rec.ReadyLow = q.rec.NextSequence
	q.dropWindow()
	return queueResult(q)
}

// deleteMessages deletes all messages of a queue. Their keys among the due work stay behind as hints.
func (s *state) deleteMessages(q *queue) {
	s.batch.DeleteRange(store.Messages(q.rec.Id))
	s.batch.DeleteRange(store.Ready(q.rec.Id))
	s.batch.DeleteRange(store.Unready(q.rec.Id))
}

func queueResult(q *queue) *fsmpb.Result {
	return &fsmpb.Result{Value: &fsmpb.Result_Queue{Queue: info(q.rec)}}
}

func queueNotFound() *fsmpb.Result { return refused(CodeQueueNotFound, "Queue not found.") }
