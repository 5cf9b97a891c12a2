package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func TestTheRiskOfARemoval(t *testing.T) {
	voters := func(ids ...string) (servers []raft.Server) {
		for _, id := range ids {
			servers = append(servers, raft.Server{ID: raft.ServerID(id)})
		}
		return servers
	}
	learner := []raft.Server{{ID: "d-1", Suffrage: raft.Nonvoter}}
	for _, test := range []struct {
		name             string
		leaving, staying []raft.Server
		up               []string
		want             string // part of the reason; empty: none
	}{
		{"all up", voters("c-1"), voters("a-1", "b-1"), []string{"a-1", "b-1"}, ""},
		{"one of two left is down", voters("c-1"), voters("a-1", "b-1"), []string{"a-1"}, "Without c the voters would be a and b, of which b is down or about to stop; 2 must be up. Start b first."},
		{"one of three left is down", voters("d-1"), voters("a-1", "b-1", "c-1"), []string{"a-1", "b-1"}, ""},
		{"two of three left are down", voters("d-1"), voters("a-1", "b-1", "c-1"), []string{"a-1"}, "b and c are down"},
		{"the last one", voters("a-1"), nil, nil, "only voter"},
		{"the last voter", voters("a-1"), learner, []string{"d-1"}, "only voter"},
		{"one that does not vote, without a majority", learner, voters("a-1", "b-1"), []string{"a-1"}, ""},
		{"those that don't vote are not counted", voters("c-1"), append(voters("a-1", "b-1"), learner...), []string{"a-1", "d-1"}, "b is down"},
	} {
		up := map[string]bool{}
		for _, id := range test.up {
			up[id] = true
		}
		got := risk(nameOf(string(test.leaving[0].ID)), test.leaving, test.staying, up)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestRemovingMembers(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	code := func(err error) string {
		if e, ok := errors.AsType[*Error](err); ok {
			return e.Code
		}
		return ""
	}

	err := c.nodes[1].RemoveMember(ctx, "nobody")
	if code(err) != CodeMemberNotFound || !strings.Contains(err.Error(), "n0, n1 and n2") {
		t.Errorf("an unknown member: %v", err)
	}

	first := c.leader()
	asker := (first + 1) % 3
	if err := c.nodes[asker].RemoveMember(ctx, name(first)); err != nil { // the leader itself
		t.Fatal(err)
	}
	gone := c.nodes[first]
	eventually(t, "the node to know", func() bool { return strings.Contains(strings.Join(gone.Ready(), ""), "removed from the cluster") })
	second := (first + 2) % 3
	servers := func() []string { return c.nodes[second].replica.Load().voters() }
	if got := servers(); len(got) != 2 || slices.Contains(got, gone.ID()) {
		t.Errorf("the voters are %v", got)
	}
	_, err = gone.Propose(ctx, sendCommand("q", "from a removed node"))
	if code(err) != CodeNoLeader || !strings.Contains(err.Error(), "removed") {
		t.Errorf("a send through the removed node: %v", err)
	}
	query := &fsmpb.Query{Principal: admin, Op: &fsmpb.Query_CheckPrincipal{CheckPrincipal: &fsmpb.CheckPrincipal{}}}
	if _, err = gone.ReadStale(query); code(err) != CodeNoLeader || !strings.Contains(err.Error(), "removed") {
		t.Errorf("a stale read of the removed node: %v", err)
	}
	if s := gone.Cluster().Summary; !strings.HasPrefix(s, "Removed: ") {
		t.Errorf("its summary is %q", s)
	}
	c.send(second, "q", "job")
	eventually(t, "its record to go", func() bool {
		for _, m := range c.nodes[second].members() {
			if m.Name == name(first) {
				return false
			}
		}
		return true
	})
	c.stop(first)

	leader := c.leader()
	other := asker + second - leader
	c.stop(other)
	err = c.nodes[leader].RemoveMember(ctx, name(leader)) // the other one does not answer
	if code(err) != CodeMajorityAtRisk && code(err) != CodeNoLeader {
		t.Errorf("removing one of two while the other is down: %v", err)
	}
	c.start(other)
	leader = c.leader()
	other = asker + second - leader
	if err := c.nodes[other].RemoveMember(ctx, name(other)); err != nil { // a node may ask for itself
		t.Fatal(err)
	}
	err = c.nodes[leader].RemoveMember(ctx, name(leader))
	if code(err) != CodeMajorityAtRisk || !strings.Contains(err.Error(), "only voter") {
		t.Errorf("removing the last one: %v", err)
	}
	eventually(t, "the other one to know", func() bool {
		return strings.Contains(strings.Join(c.nodes[other].Ready(), ""), "removed from the cluster")
	})
	if got := c.receive(leader, "q", 1, 0); len(got) != 1 {
		t.Errorf("the last node received %q", got)
	}
}

// A node that was down while it was removed comes back and is told; the leader takes nothing from it.
func TestANodeThatWasRemovedWhileItWasDown(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "wal", 3, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	away := (leader + 1) % 3
	c.stop(away)
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	if err := c.nodes[leader].RemoveMember(ctx, name(away)); err != nil {
		t.Fatal(err)
	}
	n := c.open(away)
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node to know", func() bool { return strings.Contains(strings.Join(n.Ready(), ""), "removed from the cluster") })
	if err := n.renewIfDue(ctx); err != nil { // nothing is due
		t.Error(err)
	}
	if _, err := n.Propose(ctx, sendCommand("q", "job")); err == nil {
		t.Error("a removed node may send")
	}
	if got := c.nodes[leader].replica.Load().voters(); len(got) != 2 {
		t.Errorf("the voters are %v", got)
	}
	c.send(leader, "q", "job")
}

// Each removal alone would leave a live majority, both together would not.
func TestTwoRemovalsAtOnceLeaveAMajority(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 4, nil)
	c.createQueue(0, "q")
	leader := c.leader()
	c.stop((leader + 1) % 4)
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	var removals sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		removals.Go(func() { errs[i] = c.nodes[leader].RemoveMember(ctx, name((leader+2+i)%4)) })
	}
	removals.Wait()
	if errs[0] == nil {
		errs[0], errs[1] = errs[1], errs[0]
	}
	if e, ok := errors.AsType[*Error](errs[0]); !ok || e.Code != CodeMajorityAtRisk || errs[1] != nil {
		t.Errorf("the removals answer %v and %v; one has to be refused", errs[0], errs[1])
	}
	c.send(leader, "q", "job")
}

// Whoever decided on members that another change has replaced has to decide again.
func TestAChangeOfOldMembersIsRefused(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	r := c.nodes[0].replica.Load()
	old, present := r.configuration(), r.configuration()
	if err := present.addNonvoter(r.raft, "a-1"); err != nil {
		t.Fatal(err)
	}
	err := old.addNonvoter(r.raft, "b-1")
	if err == nil {
		t.Fatal("the second change was made on the members before the first")
	}
	if e := translate(err); e.Code != codeNotLeader || e.Unknown {
		t.Errorf("%v is taken for %+v", err, e)
	}
	if err := present.remove(r.raft, "a-1"); err != nil {
		t.Errorf("a change on the result of the one before: %v", err)
	}
	if now := r.configuration(); now.index != present.index || len(now.servers) != 1 {
		t.Errorf("the members are %+v", now)
	}
}

// What promotes a member or renews its certificate while it is removed does not bring it back.
func TestARemovedMemberStaysAway(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	leader := c.leader()
	n, removed := c.nodes[leader], c.nodes[(leader+1)%3]
	l := n.replica.Load().leadership.Load()
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	public, err := removed.publicKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.RemoveMember(ctx, removed.Name()); err != nil {
		t.Fatal(err)
	}
	n.promote(ctx, l, removed.ID())
	answer := n.admit(l, removed.ID(), &clusterpb.Admit{Member: removed.self(), PublicKey: public})
	if got := answer.GetFailure().GetCode(); got != codeRemoved {
		t.Errorf("a renewal of a removed member: %q", got)
	}
	if l.r.has(removed.ID()) {
		t.Errorf("the removed member is back: %v", l.r.servers())
	}
}

func TestARemovalThatFailsHalfwayIsUnknown(t *testing.T) {
	leaving := []raft.Server{{ID: "a-1"}, {ID: "a-2"}}
	for failing, unknown := range map[raft.ServerID]bool{"a-1": false, "a-2": true} {
		err := removeAll(leaving, func(id raft.ServerID) error {
			if id == failing {
				return raft.ErrNotLeader
			}
			return nil
		})
		if err == nil || err.Unknown != unknown {
			t.Errorf("%s is not removed: %+v", failing, err)
		}
	}
}

func TestAMemberThatIsAboutToStopDoesNotCount(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	leader := c.leader()
	stopping, other := (leader+1)%3, (leader+2)%3
	c.nodes[stopping].drain()
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	err := c.nodes[leader].RemoveMember(ctx, name(other))
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeMajorityAtRisk || !strings.Contains(e.Detail, name(stopping)+" is down or about to stop") {
		t.Errorf("a removal that leaves the leader and a node that is about to stop: %v", err)
	}
}
