package fsm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// TestWindowsNeverChangeTheState applies the same random commands to replicas whose windows hold one item, a few and
// many, and to one whose windows are dropped at random. All must give the same results and the same bytes, and the
// counters must be what the tables hold.
func TestWindowsNeverChangeTheState(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			replicas := []*FSM{
				openTestFSM(t, vfs.NewMem(), 1), openTestFSM(t, vfs.NewMem(), 3),
				openTestFSM(t, vfs.NewMem(), 512), openTestFSM(t, vfs.NewMem(), 512),
			}
			g := newGenerator(seed)
			for index := uint64(1); index <= 400; index++ {
				l := &raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: g.entry()}
				var want []*fsmpb.Result
				for i, f := range replicas {
					results := f.Apply(l).([]*fsmpb.Result)
					if i == 0 {
						want = results
						g.learn(results)
					}
					for j := range want {
						if !proto.Equal(results[j], want[j]) {
							t.Fatalf("entry %d, command %d: replica %d answers\n%v\nand the first one\n%v", index, j, i, results[j], want[j])
						}
					}
				}
				if g.Uint64N(5) == 0 {
					last := replicas[len(replicas)-1].state
					last.dropWindows()
					last.due.drop(store.Due{At: last.dueLow()})
				}
			}
			for _, f := range replicas[1:] {
				if got, want := contents(f), contents(replicas[0]); got != want {
					t.Fatal(firstDifference(got, want))
				}
			}
			checkCounters(t, replicas[0])
		})
	}
}

// checkCounters compares the counters of each queue with what its tables hold.
func checkCounters(t *testing.T, f *FSM) {
	t.Helper()
	r := f.Store().NewReader()
	defer r.Close()
	count := func(lower, upper []byte) (n uint64) {
		r.Scan(lower, upper, func(_, _ []byte) bool { n++; return true })
		return n
	}
	for name, q := range f.state.queues {
		if got := count(store.Ready(q.rec.Id)); got != q.rec.Ready {
			t.Errorf("%s: %d ready by the record, %d in the table", name, q.rec.Ready, got)
		}
		if got := count(store.Unready(q.rec.Id)); got != q.rec.Leased+q.rec.Delayed {
			t.Errorf("%s: %d leased and delayed by the record, %d in the table", name, q.rec.Leased+q.rec.Delayed, got)
		}
		if got := count(store.Messages(q.rec.Id)); got != q.length() {
			t.Errorf("%s: %d messages by the record, %d in the table", name, q.length(), got)
		}
	}
}

// generator makes random entries over a few queues; it deletes and releases what it has seen delivered.
type generator struct {
	*rand.Rand
	now      int64
	first    bool
	receipts []*fsmpb.Receipt
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), now: 1_000, first: true}
}

func (g *generator) entry() []byte {
	g.now += g.Int64N(2_000)
	e := &fsmpb.Entry{NowMs: g.now}
	if g.first {
		g.first = false
		e.Commands = append(e.Commands, encode(&fsmpb.Command{Op: &fsmpb.Command_InitCluster{InitCluster: &fsmpb.InitCluster{
			Cluster: &fsmpb.Cluster{Id: "c"}, SigningKey: &fsmpb.SigningKey{Id: "k"}, AdminName: "admin", Member: &fsmpb.Member{Id: "n"},
		}}}))
	}
	for range 1 + g.IntN(6) {
		e.Commands = append(e.Commands, encode(g.command()))
	}
	return encode(e)
}

func (g *generator) command() *fsmpb.Command {
	queue := fmt.Sprintf("q%d", g.IntN(3))
	c := &fsmpb.Command{Principal: &fsmpb.Principal{User: 1, Version: 1}}
	switch n := g.IntN(100); {
	case n < 6:
		c.Op = &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
			Name: queue, Settings: &fsmpb.QueueSettings{MaxLength: 200, VisibilityTimeoutS: uint32(g.IntN(4))},
		}}
	case n < 7:
		c.Op = &fsmpb.Command_DeleteQueue{DeleteQueue: &fsmpb.DeleteQueue{Name: queue}}
	case n < 45:
		m := &fsmpb.SendMessage{Queue: queue}
		for range 1 + g.IntN(5) {
			m.Messages = append(m.Messages, &fsmpb.NewMessage{Content: []byte("content"), DelayS: uint32(max(0, g.IntN(8)-4))})
		}
		c.Op = &fsmpb.Command_SendMessage{SendMessage: m}
	case n < 75:
		c.Op = &fsmpb.Command_ReceiveMessage{ReceiveMessage: &fsmpb.ReceiveMessage{Queue: queue, Max: uint32(1 + g.IntN(10))}}
	case n < 92:
		c.Op = &fsmpb.Command_DeleteMessage{DeleteMessage: &fsmpb.DeleteMessage{Queue: queue, Receipts: g.some()}}
	case n < 97:
		c.Op = &fsmpb.Command_ReleaseMessage{ReleaseMessage: &fsmpb.ReleaseMessage{Receipts: g.some()}}
	default:
		g.now += g.Int64N(20_000)
		c.Op = &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}
	}
	return c
}

func (g *generator) some() (receipts []*fsmpb.Receipt) {
	for range min(len(g.receipts), 1+g.IntN(3)) {
		receipts = append(receipts, g.receipts[g.IntN(len(g.receipts))])
	}
	return receipts
}

func (g *generator) learn(results []*fsmpb.Result) {
	for _, r := range results {
		for _, d := range r.GetReceive().GetDeliveries() {
			g.receipts = append(g.receipts, &fsmpb.Receipt{Queue: r.GetReceive().Queue, Sequence: d.Sequence, Delivery: d.Delivery})
		}
	}
	if len(g.receipts) > 100 {
		g.receipts = g.receipts[len(g.receipts)-100:]
	}
}

func encode(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}
