package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// repeatModel is a cluster reduced to what the promise "one effect per request" depends on: a log in which copies of
// commands arrive late, twice or never, the real state machine on it, and members that lose answers, restart, and ask
// again with the real sessions. Time is virtual.
type repeatModel struct {
	t      *testing.T
	random *rand.Rand
	fs     *vfs.MemFS

	mu    sync.Mutex
	state *fsm.FSM
	logs  []*raft.Log
	now   int64
	limbo [][]byte // copies that a lost leader may still have in its log

	members    []*modelMember
	remembered int // answers that were not an effect
}

type modelMember struct {
	id   string
	node *Node
}

func newRepeatModel(t *testing.T, seed uint64) *repeatModel {
	m := &repeatModel{t: t, random: rand.New(rand.NewPCG(seed, 1)), fs: vfs.NewMem(), now: 1_000_000}
	m.open()
	m.append(encodeCommand(&fsmpb.Command{Op: &fsmpb.Command_InitCluster{InitCluster: &fsmpb.InitCluster{
		Cluster: &fsmpb.Cluster{}, SigningKey: &fsmpb.SigningKey{}, AdminName: "admin", Member: &fsmpb.Member{Id: "n0"},
	}}}))
	for i := range 3 {
		m.members = append(m.members, &modelMember{id: fmt.Sprint("n", i)})
		m.append(encodeCommand(&fsmpb.Command{Op: &fsmpb.Command_PutMember{PutMember: &fsmpb.PutMember{Member: &fsmpb.Member{Id: m.members[i].id}}}}))
		m.restartMember(m.members[i])
	}
	m.append(encodeCommand(&fsmpb.Command{Principal: admin, Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
		Name: "q", Settings: &fsmpb.QueueSettings{MaxLength: fsm.MaxQueueLength, VisibilityTimeoutS: 43_200},
	}}}))
	return m
}

func (m *repeatModel) open() {
	state, err := fsm.Open("state", fsm.Options{FS: m.fs, Fatal: func(err error) { m.t.Fatalf("fatal: %v", err) }})
	if err != nil {
		m.t.Fatal(err)
	}
	m.state = state
}

// append commits an entry of one command.
func (m *repeatModel) append(command []byte) *fsmpb.Result {
	m.now += m.random.Int64N(50)
	switch m.random.IntN(200) {
	case 0: // a new leader's clock is ahead
		m.now += 60_000
	case 1: // or behind: the state's clock must not follow
		m.now -= 30_000
	case 2: // what is remembered ends meanwhile
		m.now += fsm.RememberFor.Milliseconds() + 1
	}
	l := &raft.Log{Index: uint64(len(m.logs) + 1), Term: 1, Type: raft.LogCommand, Data: encodeEntry(m.now, []proposal{{data: command}})}
	m.logs = append(m.logs, l)
	return m.state.Apply(l).([]*fsmpb.Result)[0]
}

// restartState closes the state machine and opens it as it was flushed, or applies its whole log to another one.
func (m *repeatModel) restartState() {
	if err := m.state.Close(); err != nil {
		m.t.Fatal(err)
	}
	if m.random.IntN(2) == 0 {
		m.fs = vfs.NewMem()
		m.open()
		m.state.ApplyBatch(m.logs)
		return
	}
	m.open()
}

// restartMember is a new process of a member: it remembers nothing.
func (m *repeatModel) restartMember(member *modelMember) {
	n := &Node{config: Config{}.withDefaults(), directory: directory{ID: member.id}}
	nonce := fmt.Sprint(m.random.Uint64())
	for lane := range n.sessions {
		n.sessions[lane] = newSession(func(ctx context.Context) (uint64, *Error) {
			command := &fsmpb.Command{Op: &fsmpb.Command_RegisterSession{
				RegisterSession: &fsmpb.RegisterSession{Member: member.id, Lane: uint32(lane), Nonce: nonce},
			}}
			result, err := n.repeat(ctx, command, m.try, soon)
			return result.GetSession().GetEpoch(), err
		})
	}
	member.node = n
}

// soon is the pause between two tries.
func soon(ctx context.Context) bool {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// try is one request to a leader, and what can become of it.
func (m *repeatModel) try(ctx context.Context, command []byte) (*fsmpb.Result, *Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.random.IntN(40) == 0 {
		m.restartState()
	}
	if len(m.limbo) > 0 && m.random.IntN(3) == 0 { // an old leader's entry is committed after all
		i := m.random.IntN(len(m.limbo))
		late := m.limbo[i]
		m.limbo = append(m.limbo[:i], m.limbo[i+1:]...)
		m.append(late)
	}
	switch m.random.IntN(10) {
	case 0:
		return nil, errNotLeader("the model has no leader")
	case 1: // the leader is lost with the entry in its log
		m.limbo = append(m.limbo, command)
		return nil, errUnknown("the leader was lost")
	case 2: // the entry is committed, the answer is lost
		m.append(command)
		return nil, errUnknown("the answer was lost")
	case 3: // both: a copy of it waits in a log, too
		m.limbo = append(m.limbo, command)
		m.append(command)
		return nil, errUnknown("the answer was lost")
	}
	result := m.append(command)
	if result.Remembered != fsmpb.Remembered_NOT_REMEMBERED {
		m.remembered++
	}
	return result, nil
}

// outcome of one request, as its client knows it.
type modelOutcome struct {
	ok, unknown bool
}

// patience is how long a client waits: some give up in the middle.
func (m *repeatModel) patience() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Duration(5+m.random.IntN(200)) * time.Millisecond
}

// send has a member send one message and returns what the client is told.
func (m *repeatModel) send(member *modelMember, body string, patience time.Duration) modelOutcome {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	node := member.node
	result, err := node.repeatNumbered(ctx, node.sessions[promptLane], sendCommand("q", body), false, m.try, soon)
	if err != nil {
		return modelOutcome{unknown: err.Unknown}
	}
	return modelOutcome{ok: result.Error == nil}
}

// stored counts how often each body is in the queue, by receiving everything.
func (m *repeatModel) stored() map[string]int {
	count := map[string]int{}
	for {
		result := m.append(encodeCommand(receiveCommand("q", 10))).GetReceive()
		if len(result.GetDeliveries()) == 0 {
			return count
		}
		m.state.FillMessages(result)
		for _, d := range result.Deliveries {
			content := &fsmpb.Content{}
			if err := proto.Unmarshal(d.Message.Content, content); err != nil {
				m.t.Fatal(err)
			}
			count[content.Body]++
		}
	}
}

// TestOneEffectPerRequest: whatever is lost, late or started again, a send that was acknowledged is stored once, one that
// was refused is not stored, and one whose outcome is unknown at most once.
func TestOneEffectPerRequest(t *testing.T) {
	var all modelEvidence
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := oneEffectPerRequest(t, seed)
				all = modelEvidence{all.acknowledged + e.acknowledged, all.unknown + e.unknown, all.remembered + e.remembered}
			})
		})
	}
	// Otherwise nothing was tried. One seed alone may see no unknown outcome.
	if all.acknowledged < 4_000 || all.unknown < 20 || all.remembered < 800 {
		t.Errorf("too little was tried: %+v", all)
	}
}

// modelEvidence is how many sends were acknowledged, had an unknown outcome, and were answered from remembered results.
type modelEvidence struct{ acknowledged, unknown, remembered int }

func oneEffectPerRequest(t *testing.T, seed uint64) modelEvidence {
	m := newRepeatModel(t, seed)
	outcomes := map[string]modelOutcome{}
	var mu sync.Mutex
	for round := range 30 {
		var clients sync.WaitGroup
		for i, member := range m.members {
			for k := range 4 {
				body := fmt.Sprintf("%d/%d/%d", round, i, k)
				clients.Go(func() {
					o := m.send(member, body, m.patience())
					mu.Lock()
					outcomes[body] = o
					mu.Unlock()
				})
			}
		}
		clients.Wait()
		if m.random.IntN(6) == 0 {
			m.restartMember(m.members[m.random.IntN(len(m.members))])
		}
	}
	for _, late := range m.limbo {
		m.append(late)
	}
	e := m.judge(outcomes)
	if err := m.state.Close(); err != nil {
		t.Fatal(err)
	}
	return e
}

func (m *repeatModel) judge(outcomes map[string]modelOutcome) modelEvidence {
	stored := m.stored()
	e := modelEvidence{remembered: m.remembered}
	for body, o := range outcomes {
		switch n := stored[body]; {
		case o.ok:
			e.acknowledged++
			if n != 1 {
				m.t.Errorf("%s was acknowledged and is stored %d times", body, n)
			}
		case o.unknown:
			e.unknown++
			if n > 1 {
				m.t.Errorf("%s has an unknown outcome and is stored %d times", body, n)
			}
		case n != 0:
			m.t.Errorf("%s was refused and is stored %d times", body, n)
		}
	}
	return e
}
