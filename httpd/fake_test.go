package httpd

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// fakeNode is a Node with a small model of the state behind it. It fails on demand: err is returned by everything that asks
// the leader, staleErr by ReadStale, keysErr by Keys. mu guards everything.
type fakeNode struct {
	mu       sync.Mutex
	err      error
	staleErr error
	keysErr  error
	refuse   *fsmpb.Error // every proposal's result
	now      time.Time
	keys     *fsmpb.Keys // this node's copy
	leader   *fsmpb.Keys // what GetKeys answers
	notReady []string
	draining bool
	closed   bool // registration

	lastID   uint64
	users    map[string]*fsmpb.User
	families map[uint64]*fsmpb.TokenFamily
	queues   map[string]*fakeQueue
	commands []*fsmpb.Command
	queries  []*fsmpb.Query // of the leader

	members []string // the first one leads

	onReceive func(ctx context.Context, wait time.Duration)
}

type fakeQueue struct {
	info     *fsmpb.QueueInfo
	id, last uint64
	messages []*fakeMessage
}

type fakeMessage struct {
	sequence uint64
	delivery uint32
	leased   bool
	content  []byte
}

func newFakeNode() *fakeNode {
	keys := &fsmpb.Keys{
		SigningKeys: []*fsmpb.SigningKey{{Id: "k1", Secret: []byte("first secret")}, {Id: "k2", Secret: []byte("second secret")}},
		ReceiptKey:  []byte("receipt key"),
	}
	return &fakeNode{now: time.UnixMilli(1_800_000_000_000), keys: keys, leader: keys, users: map[string]*fsmpb.User{},
		families: map[uint64]*fsmpb.TokenFamily{}, queues: map[string]*fakeQueue{}}
}

func (n *fakeNode) Now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

func (n *fakeNode) Keys(context.Context) (*fsmpb.Keys, error) { return n.keys, n.keysErr }
func (n *fakeNode) Ready() []string                           { return n.notReady }
func (n *fakeNode) RegistrationClosed(context.Context) bool   { return n.closed }
func (n *fakeNode) Draining() bool                            { return n.draining }

func (n *fakeNode) Cluster() cluster.View {
	return cluster.View{ClusterID: "c1", Node: "n1", Leader: "n2", Term: 3, AgeMs: 12, Summary: "Well.", Members: []cluster.MemberView{
		{Name: "n1", ID: "n1-abc", Voter: true, HTTP: "h:1", Cluster: "h:2", Lag: 4, Version: "v", LastContactMs: -1,
			Up: true, LagSeconds: .5, AppliedIndex: 7, DiskFree: 9, ClockDifferenceMs: -3}},
		StateHashes: []cluster.StateHash{{Index: 8, Hash: "00000000000000ab"}}}
}

func (n *fakeNode) advance(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = n.now.Add(d)
}

func (n *fakeNode) id() uint64 {
	n.lastID++
	return n.lastID
}

func (n *fakeNode) userOf(p *fsmpb.Principal) *fsmpb.User {
	u := n.users[p.GetName()]
	if u.GetId() != p.GetUser() || u.GetVersion() != p.GetVersion() {
		return nil
	}
	return u
}

func (n *fakeNode) Read(_ context.Context, q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queries = append(n.queries, q)
	if n.err != nil {
		return nil, n.err
	}
	return n.query(q)
}

func (n *fakeNode) ReadStale(q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.staleErr != nil {
		return nil, n.staleErr
	}
	return n.query(q)
}

// RemoveMember implements Node; the last member stays.
func (n *fakeNode) RemoveMember(_ context.Context, name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.Index(n.members, name)
	switch {
	case n.err != nil:
		return n.err
	case i < 0:
		return &cluster.Error{Code: cluster.CodeMemberNotFound, Detail: "There is no such member."}
	case len(n.members) == 1:
		return &cluster.Error{Code: cluster.CodeMajorityAtRisk, Detail: "It is the last one."}
	}
	n.members = slices.Delete(n.members, i, i+1)
	return nil
}

// TransferLeadership implements Node: the member becomes the first one, without a name the second becomes it.
func (n *fakeNode) TransferLeadership(_ context.Context, name string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return "", n.err
	}
	i := 1
	if name != "" {
		if i = slices.Index(n.members, name); i < 0 {
			return "", &cluster.Error{Code: cluster.CodeMemberNotFound, Detail: "There is no such member."}
		}
	}
	n.members[0], n.members[i] = n.members[i], n.members[0]
	return n.members[0], nil
}

func (n *fakeNode) query(q *fsmpb.Query) (*fsmpb.QueryResult, error) {
	switch op := q.Op.(type) {
	case *fsmpb.Query_GetUser:
		if u := n.users[op.GetUser.Name]; u != nil {
			return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_User{User: u}}, nil
		}
		return &fsmpb.QueryResult{Error: &fsmpb.Error{Code: fsm.CodeUserNotFound}}, nil
	case *fsmpb.Query_GetKeys:
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_Keys{Keys: n.leader}}, nil
	}
	u := n.userOf(q.Principal)
	if u == nil {
		return &fsmpb.QueryResult{Error: &fsmpb.Error{Code: fsm.CodeUnauthenticated}}, nil
	}
	if check := q.GetCheckPrincipal(); check != nil {
		if check.Admin && u.Role != fsm.RoleAdmin {
			return &fsmpb.QueryResult{Error: &fsmpb.Error{Code: fsm.CodeForbidden}}, nil
		}
		return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_User{User: u}}, nil
	}
	list := &fsmpb.QueueList{}
	for name, f := range n.queues {
		if name > q.GetListQueues().GetAfter() {
			list.Queues = append(list.Queues, f.counted())
		}
	}
	slices.SortFunc(list.Queues, func(a, b *fsmpb.QueueInfo) int { return strings.Compare(a.Name, b.Name) })
	if most := int(q.GetListQueues().GetLimit()); len(list.Queues) > most {
		list.Queues, list.More = list.Queues[:most], true
	}
	return &fsmpb.QueryResult{Value: &fsmpb.QueryResult_Queues{Queues: list}}, nil
}

func (f *fakeQueue) counted() *fsmpb.QueueInfo {
	f.info.Ready, f.info.Leased, f.info.Delayed = 0, 0, 0
	for i, m := range f.messages {
		switch { // spread over the three, to see them added up
		case m.leased:
			f.info.Leased++
		case i%2 == 0:
			f.info.Ready++
		default:
			f.info.Delayed++
		}
	}
	return f.info
}

func (n *fakeNode) Receive(ctx context.Context, cmd *fsmpb.Command, wait time.Duration) (*fsmpb.Result, error) {
	result, err := n.Propose(ctx, cmd)
	if n.onReceive != nil {
		n.onReceive(ctx, wait)
	}
	return result, err
}

func (n *fakeNode) Propose(_ context.Context, cmd *fsmpb.Command) (*fsmpb.Result, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.commands = append(n.commands, cmd)
	if n.err != nil {
		return nil, n.err
	}
	if n.refuse != nil {
		return &fsmpb.Result{Error: n.refuse}, nil
	}
	return n.apply(cmd), nil
}

func refused(code string) *fsmpb.Result { return &fsmpb.Result{Error: &fsmpb.Error{Code: code}} }

func (n *fakeNode) apply(cmd *fsmpb.Command) *fsmpb.Result {
	switch op := cmd.Op.(type) {
	case *fsmpb.Command_RegisterUser:
		if n.users[op.RegisterUser.Name] != nil {
			return refused(fsm.CodeUserExists)
		}
		n.users[op.RegisterUser.Name] = &fsmpb.User{Id: n.id(), Name: op.RegisterUser.Name, Version: 1, Role: fsm.RoleUser,
			PasswordHash: op.RegisterUser.PasswordHash}
		return &fsmpb.Result{}
	case *fsmpb.Command_Login:
		u := n.userOf(op.Login.User)
		f := &fsmpb.TokenFamily{Id: n.id(), User: u.Id, Generation: 1, RotatedMs: n.now.UnixMilli(), UserVersion: u.Version,
			UserName: u.Name, Role: u.Role}
		n.families[f.Id] = f
		return &fsmpb.Result{Value: &fsmpb.Result_Family{Family: f}}
	case *fsmpb.Command_RefreshToken:
		return n.applyRefresh(op.RefreshToken)
	case *fsmpb.Command_ChangePassword:
		u := n.userOf(op.ChangePassword.User)
		u.PasswordHash = op.ChangePassword.PasswordHash
		u.Version++
		return &fsmpb.Result{}
	case *fsmpb.Command_DeleteUser:
		delete(n.users, n.userOf(op.DeleteUser.User).GetName())
		return &fsmpb.Result{}
	case *fsmpb.Command_ReleaseMessage:
		return &fsmpb.Result{}
	}
	if n.userOf(cmd.Principal) == nil {
		return refused(fsm.CodeUnauthenticated)
	}
	return n.applyToQueue(cmd)
}

func (n *fakeNode) applyRefresh(c *fsmpb.RefreshToken) *fsmpb.Result {
	f := n.families[c.Family]
	switch {
	case f == nil:
		return refused(fsm.CodeRefreshInvalid)
	case f.Generation == c.Generation:
		f.Generation++
		f.RotatedMs = n.now.UnixMilli()
	case n.now.UnixMilli()-f.RotatedMs > fsm.RefreshGrace.Milliseconds():
		delete(n.families, c.Family)
		return refused(fsm.CodeRefreshReused)
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Family{Family: f}}
}

func (n *fakeNode) applyToQueue(cmd *fsmpb.Command) *fsmpb.Result {
	named := interface{ GetName() string }(cmd.GetUpdateQueue())
	name := named.GetName() + cmd.GetDeleteQueue().GetName() + cmd.GetSendMessage().GetQueue() +
		cmd.GetReceiveMessage().GetQueue() + cmd.GetDeleteMessage().GetQueue()
	if c := cmd.GetCreateQueue(); c != nil {
		if n.queues[c.Name] != nil {
			return refused(fsm.CodeQueueExists)
		}
		n.queues[c.Name] = &fakeQueue{id: n.id(), info: &fsmpb.QueueInfo{Name: c.Name, Settings: c.Settings}}
		return queueResult(n.queues[c.Name])
	}
	q := n.queues[name]
	if q == nil {
		return refused(fsm.CodeQueueNotFound)
	}
	switch op := cmd.Op.(type) {
	case *fsmpb.Command_UpdateQueue:
		if op.UpdateQueue.MaxLength != nil {
			q.info.Settings.MaxLength = *op.UpdateQueue.MaxLength
		}
		if op.UpdateQueue.VisibilityTimeoutS != nil {
			q.info.Settings.VisibilityTimeoutS = *op.UpdateQueue.VisibilityTimeoutS
		}
	case *fsmpb.Command_DeleteQueue:
		delete(n.queues, name)
	case *fsmpb.Command_SendMessage:
		return q.send(op.SendMessage)
	case *fsmpb.Command_ReceiveMessage:
		return q.receive(op.ReceiveMessage)
	case *fsmpb.Command_DeleteMessage:
		return q.delete(op.DeleteMessage)
	}
	return queueResult(q)
}

func queueResult(q *fakeQueue) *fsmpb.Result {
	return &fsmpb.Result{Value: &fsmpb.Result_Queue{Queue: q.counted()}}
}

func (f *fakeQueue) send(c *fsmpb.SendMessage) *fsmpb.Result {
	sent := &fsmpb.SendResult{Queue: f.id}
	for _, m := range c.Messages {
		if len(f.messages) >= int(f.info.Settings.MaxLength) {
			sent.Messages = append(sent.Messages, &fsmpb.SentMessage{Error: &fsmpb.Error{Code: fsm.CodeQueueFull}})
			continue
		}
		f.last++
		f.messages = append(f.messages, &fakeMessage{sequence: f.last, content: m.Content})
		sent.Messages = append(sent.Messages, &fsmpb.SentMessage{Sequence: f.last})
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Send{Send: sent}}
}

func (f *fakeQueue) receive(c *fsmpb.ReceiveMessage) *fsmpb.Result {
	out := &fsmpb.ReceiveResult{Queue: f.id}
	for _, m := range f.messages {
		if !m.leased && len(out.Deliveries) < int(c.Max) {
			m.leased = c.GetVisibilityTimeoutS() > 0 || c.VisibilityTimeoutS == nil
			m.delivery++
			out.Deliveries = append(out.Deliveries, &fsmpb.Delivery{Sequence: m.sequence, Delivery: m.delivery, Count: m.delivery,
				Message: &fsmpb.Message{Content: m.content}})
		}
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Receive{Receive: out}}
}

func (f *fakeQueue) delete(c *fsmpb.DeleteMessage) *fsmpb.Result {
	out := &fsmpb.DeleteResult{}
	for _, r := range c.Receipts {
		at := slices.IndexFunc(f.messages, func(m *fakeMessage) bool { return r.Queue == f.id && m.sequence == r.Sequence })
		e := &fsmpb.Error{}
		switch {
		case at < 0:
			e.Code = fsm.CodeMessageNotFound
		case f.messages[at].delivery != r.Delivery:
			e.Code = fsm.CodeReceiptSuperseded
		default:
			f.messages = slices.Delete(f.messages, at, at+1)
		}
		out.Errors = append(out.Errors, e)
	}
	return &fsmpb.Result{Value: &fsmpb.Result_Delete{Delete: out}}
}
