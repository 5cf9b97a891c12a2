package cluster

import (
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// steadyPause is between two tries to reach a member that does not answer.
const steadyPause = 100 * time.Millisecond

// steadyTransport hides from raft that a follower can't be reached. After each failure raft waits longer until it sends
// entries again, up to ten seconds, and no option changes that: a member that was away for a minute would come back, be
// sent heartbeats, count as ready, and yet store nothing for seconds in which another one must not fail. So the failed
// call goes on here, until the member answers, leaves, or the term ends. Heartbeats fail as ever: raft waits at most half
// an election timeout between them, and needs to know.
type steadyTransport struct {
	memberTransport
	raft    atomic.Pointer[raft.Raft] // set when raft has started
	written func() uint64             // leaderLog.written
}

// memberTransport is what raft uses of a transport.
type memberTransport interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

func (t *steadyTransport) AppendEntries(id raft.ServerID, at raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if isHeartbeat(args) {
		return t.memberTransport.AppendEntries(id, at, args, resp)
	}
	args.LeaderCommitIndex = min(args.LeaderCommitIndex, t.written())
	return t.persist(id, at, args, resp)
}

// InstallSnapshot can't be tried again, because data is read by then: it waits for an answer to a heartbeat first.
func (t *steadyTransport) InstallSnapshot(id raft.ServerID, at raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	heartbeat := &raft.AppendEntriesRequest{RPCHeader: args.RPCHeader, Term: args.Term}
	if err := t.persist(id, at, heartbeat, new(raft.AppendEntriesResponse)); err != nil {
		return err
	}
	return t.memberTransport.InstallSnapshot(id, at, args, resp, data)
}

func (t *steadyTransport) persist(id raft.ServerID, at raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	for {
		*resp = raft.AppendEntriesResponse{}
		err := t.memberTransport.AppendEntries(id, at, args, resp)
		if err == nil || !t.wanted(id, args.Term) {
			return err
		}
		time.Sleep(steadyPause)
	}
}

// wanted reports whether this node leads in the term and id is still a member.
func (t *steadyTransport) wanted(id raft.ServerID, term uint64) bool {
	r := t.raft.Load()
	return r != nil && r.State() == raft.Leader && r.CurrentTerm() == term &&
		slices.ContainsFunc(r.GetConfiguration().Configuration().Servers, func(s raft.Server) bool { return s.ID == id })
}

// isHeartbeat is how raft tells, too: only a heartbeat says nothing of the log.
func isHeartbeat(a *raft.AppendEntriesRequest) bool {
	return a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0
}
