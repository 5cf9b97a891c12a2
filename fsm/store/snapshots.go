package store

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// liveID names the one snapshot there is: the present state.
const liveID = "live"

// snapshots is raft's view of the store: one snapshot, whose contents go on with the state.
type snapshots struct{ s *Store }

// Snapshots returns the store as raft's snapshot store. Raft must run with NoSnapshotRestoreOnStart: the state is there
// already, and List says which prefix of the log it is.
func (s *Store) Snapshots() raft.SnapshotStore { return snapshots{s} }

// List returns the present position; nothing for an empty store.
func (sn snapshots) List() ([]*raft.SnapshotMeta, error) {
	p := sn.s.Position()
	if p.Index == 0 {
		return nil, nil
	}
	return []*raft.SnapshotMeta{meta(liveID, p, 0)}, nil
}

// Open makes a checkpoint of the present state and returns exactly what it holds, which may be more than List said; or
// it hands a received state to Restore.
func (sn snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if id == liveID {
		c, err := sn.s.newCheckpoint()
		if err != nil {
			return nil, nil, err
		}
		return meta(liveID, c.position, c.size), c, nil
	}
	i, ok := sn.s.takeInstall(id)
	if !ok {
		return nil, nil, fmt.Errorf("no snapshot %q: the store has the present state only", id)
	}
	return meta(id, i.position, i.size), i, nil
}

// Create begins either of two things, which raft does not tell apart: a snapshot of this node, which Persist completes
// without writing to the sink, or a state that is received and written to the sink. For the latter the arguments say
// what the state is; they come before what the stream says of itself.
func (sn snapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != raft.SnapshotVersionMax {
		return nil, fmt.Errorf("create snapshot: version %d is not supported, only %d", version, raft.SnapshotVersionMax)
	}
	p := Position{Index: index, Term: term, Configuration: configuration.Clone(), ConfigurationIndex: configurationIndex}
	sn.s.counts.arriving.Add(1) // until Persist says that nothing will
	return &sink{s: sn.s, position: p, id: sn.s.installID(p), arriving: true}, nil
}

func meta(id string, p Position, size int64) *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersionMax, ID: id, Index: p.Index, Term: p.Term,
		Configuration: p.Configuration.Clone(), ConfigurationIndex: p.ConfigurationIndex, Size: size,
	}
}

// Snapshot returns raft's handle on the present state. Raft calls it on its FSM goroutine.
func (s *Store) Snapshot() (raft.FSMSnapshot, error) {
	return &stateSnapshot{s: s, g: s.acquire(), index: s.Position().Index}, nil
}

// stateSnapshot holds a generation from Snapshot to Release.
type stateSnapshot struct {
	s     *Store
	g     *generation
	index uint64 // applied when it was taken
}

var errReplaced = errors.New("the state was replaced by one from another member meanwhile")

// Persist makes everything applied until now durable. Raft shortens its log afterwards.
func (p *stateSnapshot) Persist(out raft.SnapshotSink) error {
	sk, ok := out.(*sink)
	if !ok {
		return fmt.Errorf("persist snapshot: the sink is a %T of another snapshot store", out)
	}
	sk.arrived()
	if sk.position.Index > p.index {
		return fmt.Errorf("persist snapshot: raft asks for index %d and the state holds %d", sk.position.Index, p.index)
	}
	if p.g.isObsolete() {
		return wrap("persist snapshot", errReplaced)
	}
	if err := p.s.flush(p.g); err != nil {
		return err
	}
	p.s.o.step("flush")
	sk.local = true
	return nil
}

// Release gives the generation back.
func (p *stateSnapshot) Release() { p.g.release() }
