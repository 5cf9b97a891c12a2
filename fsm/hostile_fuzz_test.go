package fsm

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// settled is a log after which users, log-ins, API keys and the queue q0 with messages in every state exist, and the
// generator that made it and knows their receipts.
func settled(t testing.TB) (logs []*raft.Log, g *generator) {
	t.Helper()
	g = newGenerator(7)
	f := openTestFSM(t, vfs.NewMem(), 512)
	apply := func(entry []byte) {
		l := &raft.Log{Index: uint64(len(logs) + 1), Term: 1, Type: raft.LogCommand, Data: entry}
		g.learn(f.Apply(l).([]*fsmpb.Result))
		logs = append(logs, l)
	}
	for range 30 {
		apply(g.entry())
	}
	admin := &fsmpb.Principal{User: 1, Version: 1}
	m := &fsmpb.NewMessage{Content: []byte("content")}
	e := &fsmpb.Entry{NowMs: g.now}
	for _, c := range []*fsmpb.Command{
		{Op: &fsmpb.Command_Login{Login: &fsmpb.Login{User: admin}}},
		{Principal: admin, Op: &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{Name: "key", Hash: hashOf("key")}}},
		{Principal: admin, Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
			Name: "q0", Settings: &fsmpb.QueueSettings{MaxLength: 200, VisibilityTimeoutS: 600}}}},
		{Principal: admin, Op: &fsmpb.Command_SendMessage{SendMessage: &fsmpb.SendMessage{
			Queue: "q0", Messages: []*fsmpb.NewMessage{m, m, m, m, {Content: []byte("late"), DelayS: 900}}}}},
		{Principal: admin, Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: &fsmpb.ReceiveMessage{Queue: "q0", Max: 2}}},
	} {
		e.Commands = append(e.Commands, encode(c))
	}
	apply(encode(e))
	if q := f.state.queues["q0"]; q == nil || q.rec.Ready < 2 || q.rec.Leased < 2 || q.rec.Delayed < 1 || len(g.receipts) == 0 {
		t.Fatalf("q0 is %v", q)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return logs, g
}

// hostileCommands are what no handler makes, but what arrives well-formed from another member.
func hostileCommands() (commands [][]byte) {
	admin := &fsmpb.Principal{User: 1, Version: 1}
	for _, c := range []*fsmpb.Command{
		{Principal: admin, Op: &fsmpb.Command_ChangeVisibility{ChangeVisibility: &fsmpb.ChangeVisibility{Queue: "q0", Changes: []*fsmpb.VisibilityChange{{}}}}},
		{Principal: admin, Op: &fsmpb.Command_PutJoinKey{PutJoinKey: &fsmpb.PutJoinKey{}}},
		{Principal: admin, Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{}}},
		{Principal: admin, Op: &fsmpb.Command_CreateApiKey{CreateApiKey: &fsmpb.CreateAPIKey{ExpiresInDays: 1<<32 - 1}}},
		{Principal: admin, Op: &fsmpb.Command_SendMessage{SendMessage: &fsmpb.SendMessage{Queue: "q0", Messages: []*fsmpb.NewMessage{{DelayS: 1<<32 - 1}}}}},
		{Principal: admin, Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: &fsmpb.ReceiveMessage{
			Queue: "q0", Max: 1<<32 - 1, VisibilityTimeoutS: new(uint32(1<<32 - 1)), Delete: []*fsmpb.Receipt{{}}}}},
		{Principal: &fsmpb.Principal{ApiKey: []byte{}}, Op: &fsmpb.Command_TouchApiKey{}},
		{Op: &fsmpb.Command_Login{Login: &fsmpb.Login{}}},
		{Op: &fsmpb.Command_ChangePassword{ChangePassword: &fsmpb.ChangePassword{}}},
		{Op: &fsmpb.Command_DeleteUser{DeleteUser: &fsmpb.DeleteUser{}}},
		{Op: &fsmpb.Command_PutMember{PutMember: &fsmpb.PutMember{}}},
		{Op: &fsmpb.Command_InitCluster{InitCluster: &fsmpb.InitCluster{}}},
		{Op: &fsmpb.Command_RegisterUser{RegisterUser: &fsmpb.RegisterUser{}}},
		{Op: &fsmpb.Command_ReleaseMessage{ReleaseMessage: &fsmpb.ReleaseMessage{Receipts: []*fsmpb.Receipt{{}}}}},
	} {
		commands = append(commands, encode(c))
	}
	return append(commands, undecodableCommands()...)
}

// undecodableCommands have a command's tag at their beginning, but no replica can read them.
func undecodableCommands() [][]byte {
	inner := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "a\xffb") // CreateQueue.name
	return [][]byte{
		protowire.AppendVarint(protowire.AppendTag(nil, 30, protowire.VarintType), 1), // a number in the place of a message
		protowire.AppendBytes(protowire.AppendTag(nil, 30, protowire.BytesType), []byte{0xff}),
		protowire.AppendBytes(protowire.AppendTag(nil, 30, protowire.BytesType), inner),
		append(protowire.AppendBytes(protowire.AppendTag(nil, 10, protowire.BytesType), nil), 0x0a, 1, 0xff), // and a damaged principal
		protowire.AppendGroup(protowire.AppendTag(nil, 10, protowire.StartGroupType), 10, nil),
	}
}

// TestKnownMeansThatItCanBeApplied: what a leader lets into the log must stop no replica.
func TestKnownMeansThatItCanBeApplied(t *testing.T) {
	for _, command := range undecodableCommands() {
		if Known(command) {
			t.Errorf("%x counts as a command", command)
		}
	}
	for _, c := range []*fsmpb.Command{
		{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}},
		{Principal: &fsmpb.Principal{User: 1}, Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{Name: "q"}}},
	} {
		if !Known(encode(c)) {
			t.Errorf("%v does not count as a command", c)
		}
	}
}

// FuzzKnownCommands applies whatever a leader would let into the log to a state with something in it. Nothing of that may
// stop a replica, and replicas agree however the entries reach them and however small their windows are.
func FuzzKnownCommands(f *testing.F) {
	for _, c := range hostileCommands() {
		f.Add(encode(&fsmpb.Entry{NowMs: 100, Commands: [][]byte{c}}))
	}
	f.Add(encode(&fsmpb.Entry{NowMs: 1, Commands: hostileCommands()}))
	before, g := settled(f)
	now := g.now
	for range 8 {
		f.Add(g.entry())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		given := &fsmpb.Entry{}
		if len(b) > 64<<10 || proto.Unmarshal(b, given) != nil {
			return
		}
		// The time is the leader's own; a member can only give commands.
		entry := &fsmpb.Entry{NowMs: now + int64(uint32(given.NowMs))}
		for _, c := range given.Commands {
			if Known(c) {
				entry.Commands = append(entry.Commands, c)
			}
		}
		later := &fsmpb.Entry{NowMs: entry.NowMs + 3_600_000, Commands: [][]byte{encode(&fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}})}}
		logs := before[:len(before):len(before)]
		for _, e := range []*fsmpb.Entry{entry, later} {
			logs = append(logs, &raft.Log{Index: uint64(len(logs) + 1), Term: 1, Type: raft.LogCommand, Data: encode(e)})
		}

		one := openTestFSM(t, vfs.NewMem(), 512)
		one.ApplyBatch(before)
		used := allocated(func() {
			for _, l := range logs[len(before):] {
				one.Apply(l)
			}
		})
		if bound := uint64(1<<20 + 256*len(b)); used > bound {
			t.Errorf("%d bytes were allocated for an entry of %d", used, len(b))
		}
		checkCounters(t, one)
		another := replayAtOnce(t, logs)
		if want, got := contents(one), contents(another); got != want {
			t.Error(firstDifference(got, want))
		}
		for _, f := range []*FSM{one, another} {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// allocated is how many bytes do asked for, whether or not they are in use behind it.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzQuery asks what a member may ask: the answer is a refusal or a value, and is no larger than what the state holds.
func FuzzQuery(f *testing.F) {
	admin := &fsmpb.Principal{Name: "admin", User: 1, Version: 1}
	for _, q := range []*fsmpb.Query{
		{}, {Principal: admin},
		{Op: &fsmpb.Query_GetUser{GetUser: &fsmpb.GetUser{Name: "a\x00b"}}},
		{Op: &fsmpb.Query_GetKeys{GetKeys: &fsmpb.GetKeys{}}},
		{Principal: admin, Op: &fsmpb.Query_ListQueues{ListQueues: &fsmpb.ListQueues{Limit: 1<<32 - 1}}},
		{Principal: admin, Op: &fsmpb.Query_GetQueue{GetQueue: &fsmpb.GetQueue{Name: "q0"}}},
		{Principal: admin, Op: &fsmpb.Query_ListUsers{ListUsers: &fsmpb.ListUsers{After: "\x7f", Limit: 1<<32 - 1}}},
		{Principal: admin, Op: &fsmpb.Query_ListApiKeys{ListApiKeys: &fsmpb.ListAPIKeys{After: 1<<64 - 1, Limit: 1<<32 - 1}}},
		{Principal: admin, Op: &fsmpb.Query_ListJoinKeys{ListJoinKeys: &fsmpb.ListJoinKeys{}}},
		{Principal: &fsmpb.Principal{ApiKey: []byte{0}}, Op: &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{Admin: true}}},
	} {
		f.Add(encode(q))
	}
	logs, _ := settled(f)
	state := openTestFSM(f, vfs.NewMem(), 512)
	state.ApplyBatch(logs)
	f.Fuzz(func(t *testing.T, b []byte) {
		q := &fsmpb.Query{}
		if proto.Unmarshal(b, q) != nil {
			return
		}
		var result *fsmpb.QueryResult
		used := allocated(func() { result = state.Query(q) })
		if bound := uint64(256<<10 + 64*len(b)); used > bound {
			t.Errorf("%d bytes were allocated for a query of %d", used, len(b))
		}
		if result == nil || result.Error == nil && result.Value == nil {
			t.Errorf("%v has the answer %v", q, result)
		}
		if _, err := proto.Marshal(result); err != nil {
			t.Error(fmt.Errorf("the answer to %v can't be sent: %w", q, err))
		}
	})
}
