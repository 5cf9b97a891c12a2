package fsm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// TestTheStateMachineDoesWhatTheModelDoes has the same random entries applied by a naive model and by replicas that live
// unlike lives: windows of other sizes, entries in other groups, closed and opened, crashed and given their entries
// again, flushed, replaced by the state of another. Every result, the running hash after every group and at the end the
// whole state must be the same. A longer run:
//
//	go test ./fsm -run TheModelDoes -rapid.checks 10000 -rapid.steps 100
//
// What rapid prints after a failure repeats it; a case that showed a bug becomes a test or a scenario of its own.
func TestTheStateMachineDoesWhatTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newComparison(t)
		t.Repeat(map[string]func(*rapid.T){
			"append":       c.append,
			"append more":  c.append,
			"apply":        c.apply,
			"apply more":   c.apply,
			"reopen":       c.reopen,
			"crash":        c.crash,
			"persist":      c.persist,
			"install":      c.install,
			"drop windows": c.dropWindows,
		})
		for i := range c.replicas {
			c.settle(t, i)
		}
	})
}

// comparison is a log, what the model made of it, and the replicas that apply it.
type comparison struct {
	speaker  *speaker
	model    *model
	logs     []*raft.Log       // index 1 is the first
	want     [][]*fsmpb.Result // of each
	hashes   map[uint64]uint64 // after an index, as the first replica had it that stopped there
	replicas []*modelReplica
}

type modelReplica struct {
	*FSM
	fs      *vfs.MemFS
	durable uint64 // index that no crash may take back
}

func newComparison(t *rapid.T) *comparison {
	c := &comparison{speaker: newSpeaker(), model: newModel(), hashes: map[uint64]uint64{}}
	c.add(c.speaker.now, []*fsmpb.Command{{Op: &fsmpb.Command_InitCluster{InitCluster: &fsmpb.InitCluster{
		Cluster: &fsmpb.Cluster{Id: "c"}, SigningKey: &fsmpb.SigningKey{Id: "k"}, AdminName: "admin", Member: &fsmpb.Member{Id: "n"},
	}}}})
	for range 3 {
		r := &modelReplica{fs: vfs.NewCrashableMem()}
		c.replicas = append(c.replicas, r)
		r.open(t)
	}
	t.Cleanup(func() {
		for _, r := range c.replicas {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// open opens the replica with windows and caches of a random size.
func (r *modelReplica) open(t *rapid.T) {
	r.FSM = openTestFSM(t, r.fs, one(t, "window", []int{1, 2, 5, 512}))
	size := one(t, "caches", []int{0, 1, 3, 1_000})
	r.state.ended.max, r.state.apiKeys.max = size, size
}

func (c *comparison) any(t *rapid.T) *modelReplica {
	return c.replicas[draw(t, "replica", 0, len(c.replicas)-1)]
}

// append adds entries to the log.
func (c *comparison) append(t *rapid.T) {
	for range draw(t, "entries", 1, 10) {
		if draw(t, "kind", 0, 29) == 0 {
			c.logs = append(c.logs, &raft.Log{
				Index: uint64(len(c.logs) + 1), Term: 1, Type: raft.LogConfiguration,
				Data: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(fmt.Sprint(len(c.logs)))}}}),
			})
			c.want = append(c.want, nil)
			continue
		}
		now := c.speaker.time(t)
		var commands []*fsmpb.Command
		for range draw(t, "commands", 1, 5) {
			commands = append(commands, c.speaker.command(t))
		}
		c.add(now, commands)
	}
}

func (c *comparison) add(now int64, commands []*fsmpb.Command) {
	e := &fsmpb.Entry{NowMs: now}
	for _, command := range commands {
		e.Commands = append(e.Commands, encode(command))
	}
	c.logs = append(c.logs, &raft.Log{Index: uint64(len(c.logs) + 1), Term: 1, Type: raft.LogCommand, Data: encode(e)})
	results := c.model.entry(now, commands)
	for _, r := range results {
		c.speaker.learn(r)
	}
	c.want = append(c.want, results)
}

// apply hands a group of entries to a replica; the first of them it may have already.
func (c *comparison) apply(t *rapid.T) {
	r := c.any(t)
	applied := int(r.Applied())
	from := max(0, applied-draw(t, "again", 0, 2))
	c.hand(t, r, from, min(len(c.logs), applied+draw(t, "group", 1, 12)))
}

// applyAndForget hands entries to a replica in memory that is something else afterwards: it may keep nothing of them.
func applyAndForget(f *FSM, logs []*raft.Log) []any {
	own := make([]*raft.Log, len(logs))
	for i, l := range logs {
		own[i] = &raft.Log{Index: l.Index, Term: l.Term, Type: l.Type, Data: bytes.Clone(l.Data)}
	}
	results := f.ApplyBatch(own)
	for _, l := range own {
		for i := range l.Data {
			l.Data[i] = '~'
		}
	}
	return results
}

func (c *comparison) hand(t *rapid.T, r *modelReplica, from, to int) {
	if from == to {
		return
	}
	applied := int(r.Applied())
	for i, got := range applyAndForget(r.FSM, c.logs[from:to]) {
		var want []*fsmpb.Result
		if from+i >= applied {
			want = c.want[from+i]
		}
		results, _ := got.([]*fsmpb.Result)
		if len(results) != len(want) {
			t.Fatalf("entry %d has %d results, the model gives %d", from+i+1, len(results), len(want))
		}
		for j := range want {
			if got := withoutDetails(results[j]); !proto.Equal(got, want[j]) {
				t.Fatalf("entry %d, command %d: the result is\n%v\nand the model gives\n%v", from+i+1, j+1, got, want[j])
			}
		}
	}
	hash, known := c.hashes[r.Applied()]
	if known && hash != r.state.hash {
		t.Fatalf("after entry %d the hash is %x, another replica had %x", r.Applied(), r.state.hash, hash)
	}
	c.hashes[r.Applied()] = r.state.hash
	counted := 0
	for _, q := range r.state.byID {
		counted += q.window.len()
	}
	if counted != r.state.windowItems {
		t.Fatalf("after entry %d the windows hold %d items, %d are counted", r.Applied(), counted, r.state.windowItems)
	}
}

// withoutDetails leaves the codes of refusals and takes the words out.
func withoutDetails(r *fsmpb.Result) *fsmpb.Result {
	r = proto.CloneOf(r)
	all := append([]*fsmpb.Error{r.Error}, r.GetReceive().GetDeleteErrors()...)
	all = append(append(all, r.GetDelete().GetErrors()...), r.GetChangeVisibility().GetErrors()...)
	for _, m := range r.GetSend().GetMessages() {
		all = append(all, m.Error)
	}
	for _, e := range all {
		if e != nil {
			e.Detail = ""
		}
	}
	return r
}

func (c *comparison) reopen(t *rapid.T) {
	r := c.any(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.durable = r.Applied()
	r.open(t)
	c.wantApplied(t, r)
}

// wantApplied looks where a replica stands after a start.
func (c *comparison) wantApplied(t *rapid.T, r *modelReplica) {
	if hash, known := c.hashes[r.Applied()]; r.Applied() < r.durable || known && hash != r.state.hash {
		t.Fatalf("opened at entry %d with hash %x; entry %d was durable, and another replica had hash %x", r.Applied(), r.state.hash, r.durable, hash)
	}
}

// crash goes on with what a loss of power leaves of the disk.
func (c *comparison) crash(t *rapid.T) {
	r := c.any(t)
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "torn"), 0))
	clone := r.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: draw(t, "kept", 0, 100), RNG: rng})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.fs = clone
	r.open(t)
	c.wantApplied(t, r)
}

// persist takes a snapshot as raft does.
func (c *comparison) persist(t *rapid.T) {
	r := c.any(t)
	p := r.Position()
	snapshot, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Release()
	sink, err := r.Snapshots().Create(raft.SnapshotVersionMax, p.Index, p.Term, p.Configuration, p.ConfigurationIndex, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Persist(sink); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	r.durable = p.Index
}

// install gives one replica the newer state of another.
func (c *comparison) install(t *rapid.T) {
	from, to := c.any(t), c.any(t)
	if from.Applied() <= to.Applied() {
		return
	}
	install(t, from.FSM, to.FSM)
	if to.Applied() != from.Applied() {
		t.Fatalf("after an install of entry %d the replica is at %d", from.Applied(), to.Applied())
	}
	to.durable = to.Applied()
	c.wantApplied(t, to)
}

func (c *comparison) dropWindows(t *rapid.T) {
	s := c.any(t).state
	s.dropWindows()
	s.due.drop(store.Due{})
}

// settle applies the rest of the log to a replica and compares its whole state with the model's.
func (c *comparison) settle(t *rapid.T, i int) {
	r := c.replicas[i]
	c.hand(t, r, int(r.Applied()), len(c.logs))
	c.model.wantState(t, r.FSM)
	if got, want := contents(r.FSM), contents(c.replicas[0].FSM); got != want {
		t.Fatalf("replicas %d and 0 differ: %s", i, firstDifference(got, want))
	}
}
