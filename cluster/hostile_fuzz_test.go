package cluster

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// answerTime is how long a member may take to answer a request that does not wait for messages.
const answerTime = 20 * time.Second

// FuzzHandle gives a leader any request of another member. It answers or waits for messages, and goes on leading.
func FuzzHandle(f *testing.F) {
	admin := &fsmpb.Principal{Name: "admin", User: 1, Version: 1}
	command := func(c *fsmpb.Command) []byte { return encodeCommand(c) }
	receive := command(&fsmpb.Command{Principal: admin, Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: &fsmpb.ReceiveMessage{Queue: "q", Max: 1<<32 - 1}}})
	for _, r := range []*clusterpb.Request{
		{}, {Op: &clusterpb.Request_Propose{}}, {Op: &clusterpb.Request_Propose{Propose: []byte{0xff}}},
		{Op: &clusterpb.Request_Propose{Propose: command(&fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}})}},
		{Op: &clusterpb.Request_Propose{Propose: command(sendCommand("q", "x"))}},
		{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{}}},
		{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{Command: []byte{0xff}}}},
		{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{Command: receive, WaitMs: 1<<63 - 1}}},
		{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{Command: receive, WaitMs: -1 << 63}}},
		{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{Command: command(sendCommand("q", "x")), WaitMs: 1}}},
		{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{Command: command(&fsmpb.Command{Principal: admin})}}},
		{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{Command: command(&fsmpb.Command{Principal: admin,
			Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: &fsmpb.ReceiveMessage{Delete: []*fsmpb.Receipt{{}}}}})}}},
		{Op: &clusterpb.Request_Read{Read: &fsmpb.Query{}}}, {Op: &clusterpb.Request_Read{Read: &fsmpb.Query{Principal: admin,
			Op: &fsmpb.Query_ListUsers{ListUsers: &fsmpb.ListUsers{Limit: 1<<32 - 1}}}}},
		{Op: &clusterpb.Request_ReadRound{ReadRound: &clusterpb.ReadRound{Term: 1<<64 - 1}}},
		{Op: &clusterpb.Request_Status{Status: &clusterpb.Status{Sender: &fsmpb.Member{Id: "stranger", ClusterAddress: "\x00"}}}},
		{Op: &clusterpb.Request_Admit{Admit: &clusterpb.Admit{}}},
		{Op: &clusterpb.Request_Admit{Admit: &clusterpb.Admit{Member: &fsmpb.Member{Id: "n0-x", Name: "n0"}, PublicKey: []byte{0x30}}}},
		{Op: &clusterpb.Request_Cancel{Cancel: 7}}, {Op: &clusterpb.Request_RemoveMember{RemoveMember: &clusterpb.RemoveMember{Name: "n0"}}},
		{Op: &clusterpb.Request_Transfer{Transfer: &clusterpb.Transfer{Name: "../n0"}}}, {Op: &clusterpb.Request_Transfer{Transfer: &clusterpb.Transfer{}}},
	} {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	n := hostileNode(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &clusterpb.Request{}
		if proto.Unmarshal(b, r) != nil {
			return
		}
		// As the sender is this node itself here, what Handle asks about others is asked before.
		if p := r.GetPropose(); r.Op != nil && p != nil && !fsm.Known(p) {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), answerTime)
		defer cancel()
		answers := make(chan *clusterpb.Response, 2)
		n.Handle(ctx, n.ID(), r, func(resp *clusterpb.Response) { answers <- resp })
		if _, ok := r.Op.(*clusterpb.Request_Cancel); ok {
			return // has no answer
		}
		if r.GetReceive().GetWaitMs() > 0 { // may wait: its client goes away
			n.cancelReceive(receiveKey{ctx, r.Id})
		}
		select {
		case resp := <-answers:
			if resp.GetResult() == nil {
				t.Errorf("%v has the answer %v", r, resp)
			}
			if _, err := proto.Marshal(resp); err != nil {
				t.Errorf("the answer to %v can't be sent: %v", r, err)
			}
		case <-ctx.Done():
			t.Fatalf("%v is not answered", r)
		}
		if n.replica.Load().leadership.Load() == nil {
			t.Fatalf("the node does not lead any more after %v", r)
		}
	})
}

// hostileNode is a cluster of one whose end is a panic, because a fuzz target must not use the test that made it.
func hostileNode(f *testing.F) *testNode {
	c := newTestCluster(f, "bolt", 1, func(c *Config) {
		c.Logger = hclog.NewNullLogger()
		c.Exit = func(code int, reason string) { panic(fmt.Sprintf("the node ends with code %d: %s", code, reason)) }
		c.Restart = func(reason string) { panic("the node wants to start again: " + reason) }
	})
	c.leader()
	c.createQueue(0, "q")
	return c.nodes[0]
}

// FuzzDataDirectory reads any node.json and members.json: they are refused, or the node can work with what they say.
func FuzzDataDirectory(f *testing.F) {
	for _, b := range []string{
		"", "null", "[]", "{}", `{"format":1}`, `{"format":2}`, `{"format":1,"id":"a-1","name":"a","incarnation":"1","cluster_id":"c","log_store":"bolt"}`,
		`{"format":1e0,"id":null}`, `{"format":1,"id":"../x","name":"\u0000"}`, `{"n1-a":null}`, `{"n1-a":{}}`, `{"":{"id":"n1-a"}}`, `{"n1-a":{"id":"n2-b"}}`,
		`{"n1-a":{"id":"n1-a","cluster_address":"h:1"}}`, `{"n1-a":1}`, "\x00", "{\"a\xff\":{}}", `{"format":1}{}`,
	} {
		f.Add([]byte(b))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{directoryFile, membersFile} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if d, ok, err := readDirectory(dir); err == nil && (!ok || d.Format != directoryFormat || d.ID == "" || d.ClusterID == "") {
			t.Errorf("%q is read as %+v", b, d)
		}
		n := New(Config{DataDir: dir, NodeName: "n0", Exit: func(_ int, reason string) { t.Error(reason) }})
		if n.loadAddresses() != nil {
			return
		}
		for id := range maps.Clone(n.addresses) {
			n.address(id)
		}
		n.members()
		n.heard(&fsmpb.Member{Id: "n9-z", Name: "n9", ClusterAddress: "h:9"})
	})
}
