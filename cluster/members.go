package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	reconcileInterval = 250 * time.Millisecond
	configLimit       = 5 * time.Second // for one change of raft's configuration
	// promoteLag is how many entries a non-voter may be behind when it becomes a voter.
	promoteLag = 250
)

// admit lets a node in as a non-voter: a certificate, a place in raft's configuration, a record. It runs on the leader. A
// member that asks for itself renews its certificate; it is not let in again if it was removed meanwhile.
func (n *Node) admit(l *leadership, sender string, op *clusterpb.Admit) *clusterpb.Response {
	l.changing.Lock()
	defer l.changing.Unlock()
	m := op.GetMember()
	present := l.r.configuration()
	_, member := present.find(m.GetId())
	if !member && sender == m.GetId() {
		return failed(errRemoved())
	}
	if reason := n.refuseAdmission(l.r, m); reason != "" {
		return failed(&Error{Code: codeRefused, Detail: reason})
	}
	v := l.r.fsm.View()
	defer v.Close()
	c := v.Cluster()
	if c == nil {
		return failed(errNotLeader("the cluster is being founded"))
	}
	certificate, err := transport.Sign(c.CaCertificate, c.CaKey, m.Id, op.PublicKey, n.config.Wall())
	if err != nil {
		return failed(&Error{Code: codeRefused, Detail: "the certificate can't be signed: " + err.Error()})
	}
	n.heard(m)
	n.config.step("admit")
	if !member { // one that asks again keeps its place
		if err := present.addNonvoter(l.r.raft, m.Id); err != nil {
			return failed(translate(err))
		}
	}
	n.config.step("admitted")
	if err := l.record(&fsmpb.Command{Op: &fsmpb.Command_PutMember{PutMember: &fsmpb.PutMember{Member: m}}}); err != nil {
		return failed(err)
	}
	n.config.step("admission recorded")
	return &clusterpb.Response{Result: &clusterpb.Response_Admit{Admit: &clusterpb.AdmitResult{
		Certificate: certificate,
		Cluster:     &fsmpb.Cluster{Id: c.Id, CaCertificate: c.CaCertificate},
		Members:     n.members(),
	}}}
}

// refuseAdmission says why a node can't be let in; empty if it can.
func (n *Node) refuseAdmission(r *replica, m *fsmpb.Member) string {
	if m.GetName() == "" || m.GetClusterAddress() == "" || nameOf(m.GetId()) != m.GetName() {
		return "the joining node did not say who it is"
	}
	servers := r.servers()
	_, others := split(servers, m.Name)
	if len(others) >= fsm.MaxMembers {
		return fmt.Sprintf("the cluster has %d members and %d are allowed; remove one first with: fastqueue cluster remove", len(servers), fsm.MaxMembers)
	}
	for _, s := range servers {
		id := string(s.ID)
		if nameOf(id) != m.Name || id == m.Id {
			continue
		}
		if id == r.id || n.poll(context.Background(), id) != nil {
			return fmt.Sprintf("a member named %q is up; choose another --node-name", m.Name)
		}
	}
	return ""
}

// nameOf is the node's name in a raft server id: what comes before the incarnation.
func nameOf(id string) string {
	i := strings.LastIndexByte(id, '-')
	return id[:max(i, 0)]
}

// record has a command of the cluster's own applied.
func (l *leadership) record(c *fsmpb.Command) *Error {
	done := make(chan *Error, 1)
	l.writes.submit(proposal{data: encodeCommand(c), done: func(_ *fsmpb.Result, err *Error) { done <- err }})
	return <-done
}

// reconcileMembers brings the configuration to what it should be, while this node leads: non-voters that have caught up
// vote, an old incarnation makes room for the new one, and records say where members are.
func (n *Node) reconcileMembers(ctx context.Context) {
	defer n.ended.Done()
	ticker := time.NewTicker(reconcileInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		r := n.replica.Load()
		l := r.leadership.Load()
		if l == nil || n.Draining() {
			continue
		}
		servers := r.servers()
		for _, s := range servers {
			if s.Suffrage == raft.Nonvoter {
				n.promote(ctx, l, string(s.ID))
			}
		}
		n.recordMembers(l, servers)
	}
}

// promote makes a non-voter a voter once it has caught up, and removes its earlier incarnation first: with both in the
// configuration the majority would be counted with a node that is gone for ever. One that was removed meanwhile stays away.
func (n *Node) promote(ctx context.Context, l *leadership, id string) {
	applied := l.r.raft.AppliedIndex()
	if s := n.poll(ctx, id); s == nil || s.AppliedIndex+promoteLag < applied {
		return
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	c := l.r.configuration()
	if s, ok := c.find(id); !ok || s.Suffrage != raft.Nonvoter {
		return
	}
	asked := false
	for _, old := range c.servers {
		if string(old.ID) == id || nameOf(string(old.ID)) != nameOf(id) {
			continue
		}
		if !asked { // a leader of a moment ago may not have asked anybody yet
			n.pollOnce(ctx)
			asked = true
		}
		if !n.mayRemove(l, string(old.ID), c.servers) {
			return
		}
		n.log.Info("replacing an earlier incarnation", "old", old.ID, "new", id)
		n.config.step("replace")
		if err := c.remove(l.r.raft, old.ID); err != nil {
			n.log.Warn("earlier incarnation stays for now", "id", old.ID, "error", err)
			return
		}
		n.config.step("replaced")
	}
	n.log.Info("member has caught up and votes from now on", "id", id)
	n.config.step("promote")
	if err := c.addVoter(l.r.raft, id); err != nil {
		n.log.Warn("member does not vote yet", "id", id, "error", err)
		return
	}
	n.config.step("promoted")
}

// mayRemove tells whether an earlier incarnation is down and the voters that remain have a live majority. One that is about
// to stop does not count.
func (n *Node) mayRemove(l *leadership, id string, servers []raft.Server) bool {
	if id == l.r.id {
		return false
	}
	if _, up := n.aliveStatus(id); up {
		return false
	}
	voters, up := 0, 0
	for _, s := range servers {
		if s.Suffrage != raft.Voter || string(s.ID) == id {
			continue
		}
		voters++
		if st, ok := n.aliveStatus(string(s.ID)); ok && !st.Draining || string(s.ID) == l.r.id {
			up++
		}
	}
	return up > voters/2
}

// recordMembers writes down where members are, and forgets those that left the configuration.
func (n *Node) recordMembers(l *leadership, servers []raft.Server) {
	recorded := map[string]*fsmpb.Member{}
	v := l.r.fsm.View()
	for _, m := range v.Members() {
		recorded[m.Id] = m
	}
	v.Close()
	for _, s := range servers {
		id := string(s.ID)
		said := n.lastSaid(id)
		if said != nil && !proto.Equal(said, recorded[id]) {
			n.recordOne(l, id, &fsmpb.Command{Op: &fsmpb.Command_PutMember{PutMember: &fsmpb.PutMember{Member: said}}})
		}
		delete(recorded, id)
	}
	for id := range recorded {
		if l.r.has(id) { // admitted since servers was read
			continue
		}
		n.config.step("forget")
		n.recordOne(l, id, &fsmpb.Command{Op: &fsmpb.Command_RemoveMember{RemoveMember: &fsmpb.RemoveMember{Id: id}}})
	}
}

func (n *Node) recordOne(l *leadership, id string, c *fsmpb.Command) {
	if err := l.record(c); err != nil {
		n.log.Warn("record of a member is not up to date yet", "id", id, "error", err)
		return
	}
	n.config.step("recorded")
}

func (n *Node) lastSaid(id string) *fsmpb.Member {
	if id == n.directory.ID {
		return n.self()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addresses[id]
}

// currentJoinKeys are the keys of all join tokens that this node knows.
func (n *Node) currentJoinKeys() []*fsmpb.JoinKey {
	if f := n.FSM(); f != nil {
		v := f.View()
		defer v.Close()
		if c := v.Cluster(); c != nil {
			return c.JoinKeys
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.joinKeys
}

func (n *Node) clusterID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.directory.ClusterID
}

func (n *Node) publicKey() ([]byte, error) {
	key, err := transport.LoadOrCreateKey(filepath.Join(n.config.DataDir, tlsDir))
	if err != nil {
		return nil, writeError(n.config.DataDir, fmt.Errorf("make key: %w", err))
	}
	return transport.PublicKey(key)
}
