package cluster

import (
	"slices"
	"sort"
	"time"

	"github.com/hashicorp/raft"
)

// View is what one node knows of its cluster. It needs no leader, and says how old it is.
type View struct {
	ClusterID string       `json:"cluster_id"`
	Node      string       `json:"node"`   // who answers
	Leader    string       `json:"leader"` // its node name; empty when none is known
	Term      uint64       `json:"term"`
	AgeMs     int64        `json:"age_ms"` // how long ago the answering node last heard of its leader; 0 on the leader itself
	Members   []MemberView `json:"members"`
}

// MemberView is one member as the answering node knows it.
type MemberView struct {
	Name          string `json:"name"`
	ID            string `json:"id"` // raft server id: the name and the incarnation of its data directory
	Voter         bool   `json:"voter"`
	Leader        bool   `json:"leader"`
	HTTP          string `json:"http"`
	Cluster       string `json:"cluster"`
	Lag           uint64 `json:"lag"` // log entries that it had not applied when it was last heard of
	Version       string `json:"version"`
	LastContactMs int64  `json:"last_contact_ms"` // how long ago the answering node last heard of it; -1: never
}

// Cluster is this node's view of the cluster.
func (n *Node) Cluster() View {
	v := View{ClusterID: n.clusterID(), Node: n.directory.Name, Members: []MemberView{}}
	r := n.replica.Load()
	if r == nil {
		return v
	}
	v.Term = r.raft.CurrentTerm()
	leader := r.leader()
	v.AgeMs = r.sinceLeader().Milliseconds()
	names := map[string]MemberView{}
	for _, m := range n.members() {
		names[m.Id] = MemberView{Name: m.Name, HTTP: m.HttpAddress, Cluster: m.ClusterAddress, Version: m.Version}
	}
	last := n.lastIndex(r)
	for _, s := range r.servers() {
		id := string(s.ID)
		m := names[id]
		m.ID, m.Voter, m.Leader = id, s.Suffrage == raft.Voter, id == leader
		if m.Leader {
			v.Leader = m.Name
		}
		m.LastContactMs, m.Lag = n.contact(r, id, last)
		if m.Leader {
			m.LastContactMs, m.Lag = v.AgeMs, 0
		}
		v.Members = append(v.Members, m)
	}
	sort.Slice(v.Members, func(i, j int) bool { return v.Members[i].ID < v.Members[j].ID })
	return v
}

// sinceLeader is how long ago this node heard of its leader; 0 if it leads itself.
func (r *replica) sinceLeader() time.Duration {
	if r.raft.State() == raft.Leader {
		return 0
	}
	last := r.raft.LastContact()
	if last.IsZero() {
		return time.Since(r.started)
	}
	return time.Since(last)
}

// lastIndex is the greatest log index that this node knows of.
func (n *Node) lastIndex(r *replica) uint64 {
	last := r.raft.LastIndex()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.statuses {
		last = max(last, s.LastIndex)
	}
	return last
}

// contact is how long ago a member was heard of, and how many entries it was behind then.
func (n *Node) contact(r *replica, id string, last uint64) (agoMS int64, lag uint64) {
	if id == r.id {
		return 0, last - min(last, r.raft.AppliedIndex())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s, ok := n.statuses[id]
	if !ok {
		return -1, last
	}
	return time.Since(s.at).Milliseconds(), last - min(last, s.AppliedIndex)
}

// Ready returns the reasons why this node should not get requests; none means that it should.
func (n *Node) Ready() []string {
	if n.Draining() {
		return []string{"the node is stopping"}
	}
	r := n.replica.Load()
	if r == nil {
		return []string{n.whyWaiting()}
	}
	if r.leader() == "" {
		return []string{"no leader is known: a majority of the voters is not up or not reachable"}
	}
	if since := r.sinceLeader(); since > readyContact {
		return []string{"the leader was last heard of " + since.Round(time.Millisecond).String() + " ago"}
	}
	if r.fsm.Keys() == nil || !slices.Contains(r.voters(), r.id) {
		return []string{"the node has not caught up with the cluster yet and does not vote"}
	}
	return nil
}

// readyContact is how old the last word of the leader may be on a node that is ready.
const readyContact = 2 * time.Second
