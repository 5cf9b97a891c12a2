package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	pollInterval = time.Second
	pollLimit    = 800 * time.Millisecond
	// alive is how recently a member must have answered to count as up.
	alive = 3 * time.Second
)

// memberStatus is the last answer of a member and when it came.
type memberStatus struct {
	*clusterpb.StatusResult
	at      time.Time
	clockMS int64 // how far its clock is ahead of this node's
}

// status is what this node answers when a member asks how it is.
func (n *Node) status(r *replica) *clusterpb.StatusResult {
	s := &clusterpb.StatusResult{
		Member: n.self(), LeaderId: r.leader(), Term: r.raft.CurrentTerm(),
		AppliedIndex: r.raft.AppliedIndex(), LastIndex: r.raft.LastIndex(),
		WallMs: n.config.Wall().UnixMilli(), Draining: n.Draining(),
		CertificateMs: n.certificateEnds.Load(), RegistrationClosed: n.config.RegistrationClosed,
	}
	d := n.disk.Load()
	s.DiskFree, s.DiskReserve, s.DiskLow = d.free, d.reserve, d.low
	for _, h := range r.fsm.Hashes() {
		s.Hashes = append(s.Hashes, &clusterpb.ReplicaHash{Index: h.Index, Hash: h.Hash})
	}
	return s
}

// pollMembers asks all members how they are, once a second, and so tells them where this node is. The first round is
// made before anything else needs an address: after all members have moved at once nobody could be reached otherwise.
func (n *Node) pollMembers(ctx context.Context) {
	defer n.ended.Done()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		n.pollOnce(ctx)
		r := n.replica.Load()
		n.noteProgress(r)
		n.noteClocks(r)
		n.forgetOthers(r)
		n.compareHashes(r)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) pollOnce(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, m := range n.members() {
		if m.Id == n.directory.ID {
			continue
		}
		all.Go(func() { n.poll(ctx, m.Id) })
	}
}

// poll asks one member; the answer is nil when none came in time.
func (n *Node) poll(ctx context.Context, id string) *clusterpb.StatusResult {
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	asked := n.config.Wall()
	resp, err := n.port.Call(ctx, id, &clusterpb.Request{Op: &clusterpb.Request_Status{Status: &clusterpb.Status{Sender: n.self()}}})
	if err != nil || resp.GetStatus() == nil {
		return nil
	}
	s := resp.GetStatus()
	answered := n.config.Wall()
	middle := asked.Add(answered.Sub(asked) / 2)
	n.heard(s.Member)
	if s.LeaderId == id {
		n.noteRemoved(s.Stranger)
	}
	n.mu.Lock()
	n.statuses[id] = memberStatus{StatusResult: s, at: time.Now(), clockMS: s.WallMs - middle.UnixMilli()}
	n.mu.Unlock()
	return s
}

// noteProgress takes a sample of the log's length.
func (n *Node) noteProgress(r *replica) {
	last := n.lastIndex(r)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.progress.note(time.Now(), last)
}

// noteRemoved notes what the leader says about this node's place in the cluster.
func (n *Node) noteRemoved(removed bool) {
	if n.removed.Swap(removed) != removed && removed {
		n.log.Error(removedText)
	}
}

// removedText is what a node says of itself when it does not belong to the cluster any more.
const removedText = "this node was removed from the cluster; stop it and delete its data directory, or join again with an empty one"

// heard remembers what a member says of itself, also on disk.
func (n *Node) heard(m *fsmpb.Member) {
	if m.GetId() == "" || m.GetId() == n.directory.ID {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if proto.Equal(n.addresses[m.Id], m) {
		return
	}
	n.addresses[m.Id] = m
	n.saveAddresses()
}

// forgetOthers drops what is known of nodes that are not in the configuration any more.
func (n *Node) forgetOthers(r *replica) {
	servers := r.servers()
	n.mu.Lock()
	defer n.mu.Unlock()
	gone := func(id string) bool {
		return len(servers) > 1 && !slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == id })
	}
	known := len(n.addresses)
	maps.DeleteFunc(n.addresses, func(id string, _ *fsmpb.Member) bool { return gone(id) })
	maps.DeleteFunc(n.statuses, func(id string, _ memberStatus) bool { return gone(id) })
	if len(n.addresses) != known {
		n.saveAddresses()
	}
}

// aliveStatus is the last answer of a member if it is recent.
func (n *Node) aliveStatus(id string) (memberStatus, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, ok := n.statuses[id]
	return s, ok && time.Since(s.at) < alive
}

// compareHashes compares this replica with the others wherever both know a hash.
func (n *Node) compareHashes(r *replica) {
	for _, own := range r.fsm.Hashes() {
		n.compareHash(own)
	}
}

// compareHash ends the process if two other members agree on a state that this one does not have and nobody has this one:
// a diverged replica must not serve.
func (n *Node) compareHash(own fsm.Hash) {
	agree, differ := n.hashesAt(own)
	for _, others := range differ {
		if own.Index > n.mismatchAt.Load() {
			n.mismatchAt.Store(own.Index)
			n.config.Metrics.hashMismatches.Inc()
		}
		what := fmt.Sprintf("the state at log index %d differs from that of %d other members", own.Index, others)
		if others >= 2 && agree == 0 {
			n.config.Exit(ExitDiverged, what+"; move the data directory away and join again")
		}
		n.log.Error("replicas differ: "+what, "agreeing", agree)
	}
}

// hashesAt counts the members that have the same hash at an index, and those that have another one.
func (n *Node) hashesAt(own fsm.Hash) (agree int, differ map[uint64]int) {
	differ = map[uint64]int{}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.statuses {
		for _, h := range s.Hashes {
			switch {
			case h.Index != own.Index:
			case h.Hash == own.Hash:
				agree++
			default:
				differ[h.Hash]++
			}
		}
	}
	return agree, differ
}
