package fsm

import (
	"crypto/sha256"
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
			for i, max := range []int{0, 1, 3} { // the same for families that ended early and API keys
				replicas[i].state.ended.max, replicas[i].state.apiKeys.max = max, max
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
			for _, f := range replicas {
				checkUsers(t, f)
				checkDue(t, f)
			}
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

// checkDue compares the window over the due work with the table: it begins like the table and has nothing twice.
func checkDue(t *testing.T, f *FSM) {
	t.Helper()
	r := f.Store().NewReader()
	defer r.Close()
	w := &f.state.due
	items := w.items[w.head:]
	r.Scan(store.Due{}.Key(), store.DueEnd(), func(key, _ []byte) bool {
		if len(items) == 0 {
			return false
		}
		if d := store.ParseDue(key); d != items[0] {
			t.Errorf("the window has %+v where the table has %+v", items[0], d)
		}
		items = items[1:]
		return true
	})
	if len(items) > 0 {
		t.Errorf("the window has %+v, which the table has not", items)
	}
}

// checkUsers compares the counters of each user with what the tables hold, and the caches with the store.
func checkUsers(t *testing.T, f *FSM) {
	t.Helper()
	v := f.View()
	defer v.Close()
	keys := 0
	for name, u := range f.state.users {
		of, _ := v.APIKeys(u.Id, 0, MaxAPIKeysPerUser)
		if len(of) != int(u.ApiKeys) {
			t.Errorf("%s: %d API keys by the record, %d in the table", name, u.ApiKeys, len(of))
		}
		for _, k := range of {
			hash := hashOf(k.Name) // as the generator makes them
			if cached := f.state.apiKeys.known[string(hash)]; cached != nil && !proto.Equal(cached, v.apiKey(hash)) {
				t.Errorf("%s: the cache has %v and the store %v", name, cached, v.apiKey(hash))
			}
		}
		if keys += len(of); !proto.Equal(v.User(name), u) {
			t.Errorf("%s: the state has %v and the store %v", name, u, v.User(name))
		}
	}
	count := func(lower, upper []byte) (n int) {
		v.r.Scan(lower, upper, func(_, _ []byte) bool { n++; return true })
		return n
	}
	for name, u := range f.state.users {
		if n := count(store.Families(u.Id)); n != int(u.Families) {
			t.Errorf("%s: %d log-ins by the record, %d in the table", name, u.Families, n)
		}
	}
	if all := count(store.APIKey(nil), []byte{'b'}); all != keys {
		t.Errorf("%d API keys, but %d of present users", all, keys)
	}
	if all, known := count(store.Ended()), len(f.state.ended.known)+f.state.ended.more; all != known {
		t.Errorf("%d families that ended early, but the state knows %d", all, known)
	}
}

// generator makes random entries over a few queues; it deletes and releases what it has seen delivered.
type generator struct {
	*rand.Rand
	now      int64
	first    bool
	receipts []*fsmpb.Receipt
	families []*fsmpb.TokenFamily
	keys     []*fsmpb.APIKey
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
		if g.IntN(5) == 0 {
			e.Commands = append(e.Commands, encode(g.userCommand()))
			continue
		}
		e.Commands = append(e.Commands, encode(g.command()))
	}
	return encode(e)
}

func (g *generator) command() *fsmpb.Command {
	queue := fmt.Sprintf("q%d", g.IntN(3))
	c := &fsmpb.Command{Principal: g.principal()}
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
		if g.IntN(4) == 0 {
			g.now += g.Int64N(40 * 60_000)
		}
		c.Op = &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}
	}
	return c
}

// hashOf is the hash under which userCommand made a key.
func hashOf(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// principal is the admin, mostly with a token, at times with an API key or with a token that may have ended.
func (g *generator) principal() *fsmpb.Principal {
	switch n := g.IntN(10); {
	case n < 2 && len(g.keys) > 0:
		return &fsmpb.Principal{ApiKey: hashOf(g.keys[g.IntN(len(g.keys))].Name)}
	case n < 4 && len(g.families) > 0:
		f := g.families[g.IntN(len(g.families))]
		return &fsmpb.Principal{User: f.User, Version: f.UserVersion, Family: f.Id}
	}
	return &fsmpb.Principal{User: 1, Version: 1}
}

// userCommand is about log-ins and API keys: of the admin, or of a user who comes and goes.
func (g *generator) userCommand() *fsmpb.Command {
	c := &fsmpb.Command{Principal: g.principal()}
	user := uint64(1 + g.IntN(3))
	family := &fsmpb.TokenFamily{Id: 999}
	if len(g.families) > 0 {
		family = g.families[g.IntN(len(g.families))]
	}
	switch n := g.IntN(100); {
	case n < 10:
		c.Op = &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{Name: "bob", ByAdmin: n < 5}}
	case n < 35:
		c.Op = &fsmpb.Command_Login{Login: &fsmpb.Login{User: &fsmpb.Principal{User: user, Version: 1}}}
	case n < 45:
		c.Op = &fsmpb.Command_RefreshToken{RefreshToken: &fsmpb.RefreshToken{User: family.User, Family: family.Id, Generation: family.Generation}}
	case n < 60:
		c.Op = &fsmpb.Command_Logout{Logout: &fsmpb.Logout{User: family.User, Family: family.Id}}
	case n < 75:
		name := fmt.Sprintf("key %d", g.Uint64())
		c.Op = &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{Name: name, Hash: hashOf(name), ExpiresInDays: uint32(g.IntN(2))}}
	case n < 82:
		d := &fsmpb.DeleteAPIKey{Id: g.Uint64N(50)}
		if len(g.keys) > 0 {
			k := g.keys[g.IntN(len(g.keys))]
			d.Id, d.UserName = k.Id, k.UserName
		}
		c.Op = &fsmpb.Command_DeleteApiKey{DeleteApiKey: d}
	case n < 90:
		c.Op = &fsmpb.Command_TouchApiKey{TouchApiKey: &fsmpb.TouchAPIKey{}}
	case n < 92:
		c.Op = &fsmpb.Command_DeleteUser{DeleteUser: &fsmpb.DeleteUser{User: &fsmpb.Principal{User: user, Version: 1}}}
	case n < 94:
		c.Op = &fsmpb.Command_SetRole{SetRole: &fsmpb.SetRole{Name: "bob", Role: []string{RoleAdmin, RoleUser}[g.IntN(2)]}}
	case n < 96:
		c.Op = &fsmpb.Command_PutJoinKey{PutJoinKey: &fsmpb.PutJoinKey{JoinKey: &fsmpb.JoinKey{Id: "j", Key: []byte("key")}}}
	default:
		c.Op = &fsmpb.Command_RemoveJoinKey{RemoveJoinKey: &fsmpb.RemoveJoinKey{Id: "j"}}
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
		if f := r.GetFamily(); f != nil {
			g.families = append(g.families, f)
		}
		if k := r.GetApiKey(); k != nil {
			g.keys = append(g.keys, k)
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
