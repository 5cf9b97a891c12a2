package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func TestWaitingReceivesHaveALimit(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	w := c.nodes[leader].replica.Load().leadership.Load().waiters
	w.mu.Lock()
	w.limit = 1
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := c.nodes[0].Receive(ctx, receiveCommand("q", 1), 20*time.Second)
		done <- err
	}()
	eventually(t, "the receive to wait", w.any)
	for i := range c.nodes {
		_, err := c.nodes[i].Receive(ctx, receiveCommand("q", 1), 20*time.Second)
		failure, ok := err.(*Error)
		if !ok || failure.Code != CodeLimitReached || failure.Unknown || !strings.Contains(failure.Detail, "1 receives waiting for messages and 1 are allowed") {
			t.Errorf("one receive too many through %s: %+v", name(i), err)
		}
	}
	c.send(0, "q", "job")
	if err := <-done; err != nil {
		t.Errorf("the receive that waited: %v", err)
	}
}

func TestMembersHaveALimit(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	l := c.nodes[0].replica.Load().leadership.Load()
	id := func(i int) string { return fmt.Sprintf("m%d-1", i) }
	members := l.r.configuration()
	for i := range fsm.MaxMembers - 1 { // beside n0
		if err := members.addNonvoter(l.r.raft, id(i)); err != nil {
			t.Fatal(err)
		}
	}
	member := func(name, id string) *fsmpb.Member {
		return &fsmpb.Member{Name: name, Id: id, ClusterAddress: "x.test:9081"}
	}
	if got := c.nodes[0].refuseAdmission(l.r, member("one-more", "one-more-1")); !strings.Contains(got, fmt.Sprintf("%d are allowed", fsm.MaxMembers)) {
		t.Errorf("one more member: %q", got)
	}
	if got := c.nodes[0].refuseAdmission(l.r, member("m3", "m3-2")); got != "" {
		t.Errorf("one that lost its directory: %q", got)
	}
	if got := c.nodes[0].refuseAdmission(l.r, member("m3", "m3-1")); got != "" {
		t.Errorf("one that renews its certificate: %q", got)
	}
}

// A token that admins make is good on every node, and one that they revoke is good no more, also the first.
func TestJoinTokensComeAndGo(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	token, key, err := NewJoinToken()
	if err != nil {
		t.Fatal(err)
	}
	if r := c.propose(0, &fsmpb.Command{Op: &fsmpb.Command_PutJoinKey{PutJoinKey: &fsmpb.PutJoinKey{JoinKey: key}}}); r.Error != nil {
		t.Fatal(r.Error)
	}
	first := c.nodes[0].currentJoinKeys()[0].Id
	if r := c.propose(0, &fsmpb.Command{Op: &fsmpb.Command_RemoveJoinKey{RemoveJoinKey: &fsmpb.RemoveJoinKey{Id: first}}}); r.Error != nil {
		t.Fatal(r.Error)
	}
	c.nodes = append(c.nodes, &testNode{dir: filepath.Join(t.TempDir(), "n1")})
	t.Cleanup(func() { c.stop(1) })
	n := c.open(1)
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	if err := n.Join(ctx, []string{address(0)}, c.token); err == nil {
		t.Fatal("a node joined with a revoked token")
	}
	if err := n.Join(ctx, []string{address(0)}, token); err != nil {
		t.Fatal(err)
	}
	if err := n.WaitVoter(ctx); err != nil {
		t.Fatal(err)
	}
}
