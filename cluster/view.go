package cluster

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm"
)

// View is what one node knows of its cluster. It needs no leader, and says how old it is.
type View struct {
	ClusterID string       `json:"cluster_id"`
	Node      string       `json:"node"`   // who answers
	Leader    string       `json:"leader"` // its node name; empty when none is known
	Term      uint64       `json:"term"`
	AgeMs     int64        `json:"age_ms"`  // how long ago the answering node last heard of its leader; 0 on the leader itself
	Summary   string       `json:"summary"` // how the cluster is, in a sentence or two for people
	Members   []MemberView `json:"members"`

	// StateHashes are the running hashes of the answering node's state at the last multiples of 1,000 that it has passed
	// since it started, and where it stands; the index rises. Nodes that name the same index must name the same hash.
	StateHashes []StateHash `json:"state_hashes"`
}

// StateHash is the running hash of what the log entries before an index made.
type StateHash struct {
	Index uint64 `json:"index"`
	Hash  string `json:"hash"` // 16 hexadecimal digits
}

// MemberView is one member as the answering node knows it.
type MemberView struct {
	Name               string    `json:"name"`
	ID                 string    `json:"id"` // raft server id: the name and the incarnation of its data directory
	Voter              bool      `json:"voter"`
	Leader             bool      `json:"leader"`
	HTTP               string    `json:"http"`
	Cluster            string    `json:"cluster"`
	Lag                uint64    `json:"lag"` // log entries that it had not applied when it was last heard of
	Version            string    `json:"version"`
	LastContactMs      int64     `json:"last_contact_ms"` // how long ago the answering node last heard of it; -1: never
	Up                 bool      `json:"up"`              // it was heard of within the last three seconds
	LagSeconds         float64   `json:"lag_seconds"`     // how old the newest entry is that it had applied when it was last heard of; of one that is down, now
	AppliedIndex       uint64    `json:"applied_index"`
	DiskFree           uint64    `json:"disk_free"`                    // bytes; 0: not known
	DiskLow            bool      `json:"disk_low"`                     // fewer bytes are free than its reserve
	ClockDifferenceMs  int64     `json:"clock_difference_ms"`          // how far its clock is ahead of the answering node's
	CertificateExpires time.Time `json:"certificate_expires,omitzero"` // absent: not known
	Draining           bool      `json:"draining"`                     // it is about to stop
}

// Cluster is this node's view of the cluster.
func (n *Node) Cluster() View {
	v := View{ClusterID: n.clusterID(), Node: n.Name(), Members: []MemberView{}, StateHashes: []StateHash{}}
	r := n.replica.Load()
	if r == nil {
		v.Summary = "Not a member yet: " + n.whyWaiting() + "."
		return v
	}
	v.Term = r.raft.CurrentTerm()
	v.StateHashes = stateHashes(r.fsm)
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
		if m.Name == "" { // it was never heard of
			m.Name = nameOf(id)
		}
		m.ID, m.Voter, m.Leader = id, s.Suffrage == raft.Voter, id == leader
		if m.Leader {
			v.Leader = m.Name
		}
		n.describe(r, &m, last)
		if m.Leader {
			m.LastContactMs, m.Lag, m.LagSeconds = v.AgeMs, 0, 0
			m.Up = m.Up || v.AgeMs < alive.Milliseconds()
		}
		v.Members = append(v.Members, m)
	}
	sort.Slice(v.Members, func(i, j int) bool { return v.Members[i].ID < v.Members[j].ID })
	v.Summary = summary(v, n.config.Wall())
	if n.removed.Load() {
		v.Summary = "Removed: " + removedText + "."
	}
	return v
}

func stateHashes(f *fsm.FSM) []StateHash {
	newest := f.NewestHash()
	var shown []StateHash
	for _, h := range f.Hashes() {
		if h.Index < newest.Index {
			shown = append(shown, showHash(h))
		}
	}
	return append(shown, showHash(newest))
}

func showHash(h fsm.Hash) StateHash {
	return StateHash{Index: h.Index, Hash: fmt.Sprintf("%016x", h.Hash)}
}

// describe fills in what a member last said of itself; of this node, what it says now.
func (n *Node) describe(r *replica, m *MemberView, last uint64) {
	var s memberStatus
	heard := m.ID == r.id
	if heard {
		s = memberStatus{StatusResult: n.status(r), at: time.Now()}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if m.ID != r.id {
		s, heard = n.statuses[m.ID]
	}
	if !heard {
		m.LastContactMs, m.Lag = -1, last
		return
	}
	ago := time.Since(s.at)
	m.LastContactMs, m.Up = ago.Milliseconds(), ago < alive
	m.AppliedIndex, m.Lag = s.AppliedIndex, last-min(last, s.AppliedIndex)
	seen := s.at
	if !m.Up {
		seen = time.Now()
	}
	m.LagSeconds = n.progress.behind(seen, s.AppliedIndex).Round(time.Millisecond).Seconds()
	m.DiskFree, m.DiskLow, m.Draining = s.DiskFree, s.DiskLow, s.Draining
	m.ClockDifferenceMs = s.clockMS
	if s.CertificateMs > 0 {
		m.CertificateExpires = time.UnixMilli(s.CertificateMs).UTC().Truncate(time.Second)
	}
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

// Ready returns the reasons why this node should not get requests; none means that it should.
func (n *Node) Ready() []string {
	if n.Draining() {
		return []string{"the node is stopping"}
	}
	r := n.replica.Load()
	if r == nil {
		return []string{n.whyWaiting()}
	}
	if n.removed.Load() {
		return []string{removedText}
	}
	if ends := time.UnixMilli(n.certificateEnds.Load()); n.config.Wall().After(ends) {
		return []string{"the certificate of this node ended at " + ends.UTC().Format(time.RFC3339) + " and the other members refuse it; " + certificateAdvice}
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
