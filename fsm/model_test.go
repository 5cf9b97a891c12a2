package fsm

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// model is the state machine as one would write it down without a thought of speed, memory or disks: maps, slices and
// loops over everything. It is meant to be right by reading. Of a refusal it knows the code and not the words.
type model struct {
	now    int64
	nextID uint64
	users  map[string]*modelUser // by name
	keys   []*fsmpb.APIKey       // of all users, oldest first
	ended  map[uint64]int64      // families that ended early, and when their last access token expires
	queues map[string]*modelQueue
	lists  []*modelList       // of remembered results
	member map[string]bool    // those that the cluster has
	due    map[store.Due]bool // may hold more than is still to be done: whatever it finds is looked at again
}

type modelQueue struct {
	id, next  uint64 // next: the sequence of the next message
	createdMS int64
	settings  *fsmpb.QueueSettings
	messages  []*modelMessage // in the order in which they were sent
}

type modelMessage struct {
	place         string // ready, leased or delayed
	sequence      uint64
	content       []byte
	sentMS        int64
	number, count uint32 // of deliveries ever, and of those that count
	firstMS       int64
	untilMS       int64 // 0 while ready
}

func newModel() *model {
	return &model{
		nextID: 1, users: map[string]*modelUser{}, ended: map[uint64]int64{},
		queues: map[string]*modelQueue{}, member: map[string]bool{}, due: map[store.Due]bool{},
	}
}

// entry applies the commands of one entry.
func (m *model) entry(now int64, commands []*fsmpb.Command) (results []*fsmpb.Result) {
	m.advance(now)
	for _, c := range commands {
		results = append(results, m.once(c))
	}
	m.endOfEntry()
	return results
}

// advance does the first of what is due, in order, and leaves the rest to the next entry.
func (m *model) advance(now int64) {
	m.now = max(m.now, now)
	for range maxDuePerEntry {
		d, ok := m.firstDue()
		if !ok || d.At > m.now {
			return
		}
		delete(m.due, d)
		switch d.Kind {
		case store.DueMessage:
			m.messageDue(d)
		case store.DueFamily:
			m.familyDue(d)
		case store.DueEnded:
			delete(m.ended, d.Sequence)
		case store.DueResult:
			m.resultDue(d)
		}
	}
}

func (m *model) firstDue() (first store.Due, ok bool) {
	for d := range m.due {
		before := cmp.Or(cmp.Compare(d.At, first.At), cmp.Compare(d.Kind, first.Kind), cmp.Compare(d.Owner, first.Owner), cmp.Compare(d.Sequence, first.Sequence))
		if !ok || before < 0 {
			first, ok = d, true
		}
	}
	return first, ok
}

func (m *model) messageDue(d store.Due) {
	for _, q := range m.queues {
		if x := q.find(d.Sequence); q.id == d.Owner && x != nil && x.untilMS == d.At {
			x.makeReady()
		}
	}
}

func (q *modelQueue) find(sequence uint64) *modelMessage {
	for _, x := range q.messages {
		if x.sequence == sequence {
			return x
		}
	}
	return nil
}

func (q *modelQueue) count(place string) (n uint64) {
	for _, x := range q.messages {
		if x.place == place {
			n++
		}
	}
	return n
}

func (x *modelMessage) makeReady() { x.place, x.untilMS = "ready", 0 }

// hold makes a message wait for a time.
func (m *model) hold(q *modelQueue, x *modelMessage, place string, seconds uint32) {
	x.place, x.untilMS = place, m.now+int64(seconds)*1000
	m.due[dueAt(q, x)] = true
}

// free makes a message ready before that time.
func (m *model) free(q *modelQueue, x *modelMessage) {
	delete(m.due, dueAt(q, x))
	x.makeReady()
}

func dueAt(q *modelQueue, x *modelMessage) store.Due {
	return store.Due{At: x.untilMS, Kind: store.DueMessage, Owner: q.id, Sequence: x.sequence}
}

func (m *model) createQueue(name string, settings *fsmpb.QueueSettings) *fsmpb.Result {
	if m.queues[name] != nil {
		return coded(CodeQueueExists)
	}
	m.queues[name] = &modelQueue{id: m.newID(), next: 1, createdMS: m.now, settings: proto.CloneOf(settings)}
	return m.showQueue(name)
}

func (m *model) updateQueue(c *fsmpb.UpdateQueue) *fsmpb.Result {
	q := m.queues[c.Name]
	if c.MaxLength != nil {
		q.settings.MaxLength = *c.MaxLength
	}
	if c.VisibilityTimeoutS != nil {
		q.settings.VisibilityTimeoutS = *c.VisibilityTimeoutS
	}
	return m.showQueue(c.Name)
}

func (m *model) showQueue(name string) *fsmpb.Result {
	q := m.queues[name]
	return &fsmpb.Result{Value: &fsmpb.Result_Queue{Queue: &fsmpb.QueueInfo{
		Name: name, Settings: proto.CloneOf(q.settings), CreatedMs: q.createdMS,
		Ready: q.count("ready"), Leased: q.count("leased"), Delayed: q.count("delayed"),
	}}}
}

func (m *model) send(q *modelQueue, messages []*fsmpb.NewMessage) *fsmpb.Result {
	result := &fsmpb.SendResult{Queue: q.id}
	for _, n := range messages {
		if uint64(len(q.messages)) >= q.settings.GetMaxLength() {
			result.Messages = append(result.Messages, &fsmpb.SentMessage{Error: &fsmpb.Error{Code: CodeQueueFull}})
			continue
		}
		x := &modelMessage{place: "ready", sequence: q.next, content: n.Content, sentMS: m.now}
		q.next++
		q.messages = append(q.messages, x)
		if n.DelayS > 0 {
			m.hold(q, x, "delayed", n.DelayS)
		}
		result.Messages = append(result.Messages, &fsmpb.SentMessage{Sequence: x.sequence})
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Send{Send: result}}
}

func (m *model) receive(q *modelQueue, c *fsmpb.ReceiveMessage) *fsmpb.Result {
	visibility := q.settings.GetVisibilityTimeoutS()
	if c.VisibilityTimeoutS != nil {
		visibility = *c.VisibilityTimeoutS
	}
	result := &fsmpb.ReceiveResult{Queue: q.id, DeleteErrors: m.deleteAll(q, c.Delete)}
	bytes := 0
	for _, x := range q.messages {
		if x.place != "ready" {
			continue
		}
		if len(result.Deliveries) == int(c.Max) || bytes > 0 && bytes+len(x.content) > MaxReceiveBytes {
			break
		}
		bytes += len(x.content)
		x.number++
		x.count++
		if x.firstMS == 0 {
			x.firstMS = m.now
		}
		if visibility > 0 { // otherwise it is ready again at once
			m.hold(q, x, "leased", visibility)
		}
		result.Deliveries = append(result.Deliveries, &fsmpb.Delivery{
			Sequence: x.sequence, Delivery: x.number, Count: x.count, FirstReceiveMs: x.firstMS,
			DeadlineMs: m.now + int64(visibility)*1000,
		})
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Receive{Receive: result}}
}

// delivered finds the message that a receipt gives a right to; code is empty then.
func (q *modelQueue) delivered(r *fsmpb.Receipt) (x *modelMessage, code string) {
	if r.GetQueue() == q.id {
		x = q.find(r.GetSequence())
	}
	switch {
	case x == nil:
		return nil, CodeMessageNotFound
	case x.number != r.GetDelivery():
		return nil, CodeReceiptSuperseded
	}
	return x, ""
}

func (m *model) deleteAll(q *modelQueue, receipts []*fsmpb.Receipt) (errors []*fsmpb.Error) {
	for _, r := range receipts {
		x, code := q.delivered(r)
		errors = append(errors, &fsmpb.Error{Code: code})
		if x != nil {
			m.free(q, x)
			q.messages = slices.DeleteFunc(q.messages, func(o *modelMessage) bool { return o == x })
		}
	}
	return errors
}

func (m *model) changeVisibility(q *modelQueue, changes []*fsmpb.VisibilityChange) (errors []*fsmpb.Error) {
	for _, c := range changes {
		x, code := q.delivered(c.Receipt)
		if x != nil && x.place == "ready" {
			code = CodeMessageNotLeased
		}
		errors = append(errors, &fsmpb.Error{Code: code})
		if code != "" {
			continue
		}
		place := x.place
		m.free(q, x)
		if c.VisibilityTimeoutS > 0 {
			m.hold(q, x, place, c.VisibilityTimeoutS)
		}
	}
	return errors
}

// release undoes receives. What it does not find it leaves.
func (m *model) release(receipts []*fsmpb.Receipt) *fsmpb.Result {
	for _, r := range receipts {
		for _, q := range m.queues {
			if x, _ := q.delivered(r); x != nil && x.place != "ready" {
				m.free(q, x)
				x.count--
			}
		}
	}
	return &fsmpb.Result{}
}

func (m *model) newID() uint64 {
	m.nextID++
	return m.nextID - 1
}

// coded is the refusal of a whole command.
func coded(code string) *fsmpb.Result { return &fsmpb.Result{Error: &fsmpb.Error{Code: code}} }
