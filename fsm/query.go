package fsm

import (
	"encoding/binary"
	"fmt"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// View reads a committed state, the same one for as long as it is open. Any goroutine may open one; Close it soon, since
// it keeps files from being deleted and the state machine from closing.
type View struct {
	r *store.Reader // nil: the state machine was closed, and the view is empty
	f *FSM
}

// View opens a view on the state as it is now. Of a closed state machine it shows nothing.
func (f *FSM) View() *View {
	f.views.RLock()
	if f.closed {
		f.views.RUnlock()
		return &View{f: f}
	}
	return &View{r: f.store.NewReader(), f: f}
}

// Close releases the view.
func (v *View) Close() {
	if v.r != nil {
		v.r.Close()
		v.f.views.RUnlock()
	}
}

// Cluster returns the cluster record, or nil before the first command was applied.
func (v *View) Cluster() *fsmpb.Cluster { return get(v, store.ClusterKey(), &fsmpb.Cluster{}) }

// now is the clock of the state that the view shows, in milliseconds.
func (v *View) now() int64 {
	if v.r == nil {
		return 0
	}
	b, ok := v.r.Get(store.ClockKey())
	if !ok {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// User returns a user, or nil.
func (v *View) User(name string) *fsmpb.User { return get(v, store.UserKey(name), &fsmpb.User{}) }

// Message returns the unchanging part of a message, or nil when it was deleted.
func (v *View) Message(queue, sequence uint64) *fsmpb.Message {
	return get(v, store.MessageKey(queue, sequence), &fsmpb.Message{})
}

// Members returns all members, sorted by id.
func (v *View) Members() []*fsmpb.Member {
	lower, upper := store.Members()
	return list(v, lower, upper, func() *fsmpb.Member { return &fsmpb.Member{} }, -1)
}

// Keys returns the keys that sign tokens and receipts, or nil before the first command was applied.
func (v *View) Keys() *fsmpb.Keys {
	c := v.Cluster()
	if c == nil {
		return nil
	}
	lower, upper := store.SigningKeys()
	keys := list(v, lower, upper, func() *fsmpb.SigningKey { return &fsmpb.SigningKey{} }, -1)
	return &fsmpb.Keys{SigningKeys: keys, ReceiptKey: c.ReceiptKey}
}

// Queue returns one queue with the age of its oldest message, or nil.
func (v *View) Queue(name string) *fsmpb.QueueInfo {
	rec := get(v, store.QueueKey(name), &fsmpb.Queue{})
	if rec == nil {
		return nil
	}
	q := info(rec)
	lower, upper := store.Messages(rec.Id)
	for _, oldest := range list(v, lower, upper, func() *fsmpb.Message { return &fsmpb.Message{} }, 1) {
		q.OldestMs = oldest.SentMs
	}
	return q
}

// Queues returns up to limit queues whose names come after a name, sorted, and whether there are more.
func (v *View) Queues(after string, limit int) (queues []*fsmpb.QueueInfo, more bool) {
	lower, upper := store.QueuesAfter(after)
	records := list(v, lower, upper, func() *fsmpb.Queue { return &fsmpb.Queue{} }, limit+1)
	if len(records) > limit {
		records, more = records[:limit], true
	}
	for _, rec := range records {
		queues = append(queues, info(rec))
	}
	return queues, more
}

// Query answers a read from the committed state. Whether that state is new enough is the caller's business.
func (f *FSM) Query(q *fsmpb.Query) *fsmpb.QueryResult {
	v := f.View()
	defer v.Close()
	switch op := q.Op.(type) { // these carry their own proof, or none is needed
	case *fsmpb.Query_GetUser:
		u := v.User(op.GetUser.Name)
		if u == nil {
			return &fsmpb.QueryResult{Error: userNotFound()}
		}
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_User{User: u}}
	case *fsmpb.Query_GetKeys:
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_Keys{Keys: v.Keys()}}
	}
	caller, key := v.identify(q.Principal)
	if caller == nil {
		return &fsmpb.QueryResult{Error: unauthenticated(q.Principal)}
	}
	result := v.answer(caller, q)
	result.KeyIdle = key != nil && idle(key, v.now())
	return result
}

// answer is Query for a caller who is known.
func (v *View) answer(caller *fsmpb.User, q *fsmpb.Query) *fsmpb.QueryResult {
	switch op := q.Op.(type) {
	case *fsmpb.Query_ListQueues:
		queues, more := v.Queues(op.ListQueues.After, int(op.ListQueues.Limit))
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_Queues{Queues: &fsmpb.QueueList{Queues: queues, More: more}}}
	case *fsmpb.Query_GetQueue:
		q := v.Queue(op.GetQueue.Name)
		if q == nil {
			return &fsmpb.QueryResult{Error: queueNotFound().Error}
		}
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_Queue{Queue: q}}
	case *fsmpb.Query_CheckPrincipal:
		if op.CheckPrincipal.Admin {
			if err := adminOnly(caller); err != nil {
				return &fsmpb.QueryResult{Error: err}
			}
		}
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_User{User: publicUser(caller)}}
	case *fsmpb.Query_ListApiKeys:
		return v.listAPIKeys(caller, op.ListApiKeys)
	case *fsmpb.Query_ListUsers:
		if err := adminOnly(caller); err != nil {
			return &fsmpb.QueryResult{Error: err}
		}
		users, more := v.Users(op.ListUsers.After, int(op.ListUsers.Limit))
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_Users{Users: &fsmpb.UserList{Users: users, More: more}}}
	case *fsmpb.Query_ListJoinKeys:
		if err := adminOnly(caller); err != nil {
			return &fsmpb.QueryResult{Error: err}
		}
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_JoinKeys{JoinKeys: &fsmpb.JoinKeyList{JoinKeys: v.JoinKeys()}}}
	}
	return &fsmpb.QueryResult{Error: refuse(CodeInvalid, "This member does not know the query; all members should run the same version.")}
}

// FillMessages adds the contents to the deliveries of a receive. A message that was deleted meanwhile is left out.
func (f *FSM) FillMessages(r *fsmpb.ReceiveResult) {
	if len(r.GetDeliveries()) == 0 {
		return
	}
	f.views.RLock()
	defer f.views.RUnlock()
	kept := r.Deliveries[:0]
	for _, d := range r.Deliveries {
		if d.Message = f.message(r.Queue, d.Sequence); d.Message != nil {
			kept = append(kept, d)
		}
	}
	r.Deliveries = kept
}

// message returns the unchanging part of a message, or nil when it was deleted or the state machine is closed. The
// caller holds views. It makes no View: that would pass all young writes to the engine.
func (f *FSM) message(queue, sequence uint64) *fsmpb.Message {
	if f.closed {
		return nil
	}
	key := store.MessageKey(queue, sequence)
	b, ok := f.store.Get(key)
	if !ok {
		return nil
	}
	m := &fsmpb.Message{}
	if err := decode(b, m); err != nil {
		f.fatal(fmt.Errorf("record under %q: %w", key, err))
	}
	return m
}

func get[M message](v *View, key []byte, m M) (none M) {
	if v.r == nil {
		return none
	}
	b, ok := v.r.Get(key)
	if !ok {
		return none
	}
	if err := decode(b, m); err != nil {
		v.f.fatal(fmt.Errorf("record under %q: %w", key, err))
	}
	return m
}

func list[M message](v *View, lower, upper []byte, empty func() M, limit int) (all []M) {
	if v.r == nil {
		return nil
	}
	v.r.Scan(lower, upper, func(key, value []byte) bool {
		m := empty()
		if err := decode(value, m); err != nil {
			v.f.fatal(fmt.Errorf("record under %q: %w", key, err))
		}
		all = append(all, m)
		return len(all) != limit
	})
	return all
}
