package store

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm/store/storepb"
)

// scratchBytes is the piece in which a received file is written.
const scratchBytes = 64 << 10

// install is a state received from another member, complete and checked, in a directory of its own. As an io.ReadCloser
// it only carries itself through raft from Snapshots().Open to Restore.
type install struct {
	s        *Store
	id       string
	dir      string
	position Position // from raft, not from the stream
	size     int64
	used     bool // Restore has taken the directory
}

// Read gives nothing: Restore takes the directory instead.
func (i *install) Read([]byte) (int, error) {
	return 0, errors.New("a received state is restored, not read")
}

// Close removes the directory unless Restore took it.
func (i *install) Close() error {
	if i.used {
		return nil
	}
	i.used = true
	if err := i.s.o.FS.RemoveAll(i.dir); err != nil {
		return i.s.o.fail(wrap("remove received state", err))
	}
	return nil
}

func (s *Store) installID(p Position) string {
	return fmt.Sprintf("install-%d-%d-%d", p.Term, p.Index, s.nextTemp.Add(1))
}

func (s *Store) addInstall(i *install) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installs[i.id] = i
}

func (s *Store) takeInstall(id string) (*install, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.installs[id]
	delete(s.installs, id)
	return i, ok
}

// prepare makes a received directory ready to become the state: it opens it, writes raft's position over that of the
// stream, and makes all of it durable. Nothing that is in use has changed.
func (i *install) prepare(m *storepb.Manifest) error {
	o := &i.s.o
	db, err := openEngine(o, i.s.cache, i.dir, false)
	if err != nil {
		return streamError("it does not open: %w", err)
	}
	held, err := readPosition(db)
	if err == nil && (held.Index != m.Index || held.Term != m.Term) {
		err = streamError("it holds entry %d of term %d and its manifest says %d of term %d", held.Index, held.Term, m.Index, m.Term)
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	if err := i.mark(db, held); err != nil {
		return o.fail(errors.Join(wrap("mark received state", err), db.Close()))
	}
	err = o.limited("flush of the received state", db.Flush)
	return errors.Join(err, db.Close())
}

// mark writes the position and the fact of the install.
func (i *install) mark(db *pebble.DB, held Position) error {
	b := db.NewBatch()
	held.ConfigurationIndex = i.position.ConfigurationIndex + 1 // raft's list is written even if the index is the same
	if err := writePosition(b, i.position, held); err != nil {
		return err
	}
	if err := b.Set([]byte(installedKey), Mark{i.position.Index, i.position.Term}.encode(), nil); err != nil {
		return err
	}
	return b.Commit(pebble.NoSync)
}

// sink takes a received state, or nothing for a snapshot of this node. Raft uses it from one goroutine at a time.
type sink struct {
	s        *Store
	id       string
	position Position
	local    bool // Persist has made this node's own state durable
	dir      string
	dec      *decoder // nil before the first byte
	file     vfs.File // being written, or nil
	scratch  []byte
	size     int64
	arriving bool // counted as such
	ended    bool
}

// ID implements raft.SnapshotSink.
func (k *sink) ID() string {
	if k.local {
		return liveID
	}
	return k.id
}

// Write takes the next piece of a stream, unpacks and checks it.
func (k *sink) Write(p []byte) (int, error) {
	if k.dec == nil {
		if err := k.begin(); err != nil {
			return 0, err
		}
	}
	n, err := k.dec.Write(p)
	k.size += int64(n)
	k.s.counts.received.Add(uint64(n))
	return n, err
}

// begin makes the directory. A state older than the present one is refused: it can only be a late copy.
func (k *sink) begin() error {
	if have := k.s.Position().Index; k.position.Index < have {
		return streamError("it ends at entry %d and this node is at %d already", k.position.Index, have)
	}
	k.dir = k.s.tempDir("receive")
	if err := k.s.o.FS.MkdirAll(k.dir, 0o700); err != nil {
		return k.s.o.fail(wrap("create directory for a received state", err))
	}
	k.dec = newDecoder(k)
	return nil
}

// arrived ends what Create began.
func (k *sink) arrived() {
	if k.arriving {
		k.arriving = false
		k.s.counts.arriving.Add(-1)
	}
}

func (k *sink) accept(m *storepb.Manifest) error {
	if m.EngineFormat != uint32(engineFormat) || m.Schema != k.s.o.Schema {
		return streamError("its format is %d.%d and this version reads %d.%d only", m.EngineFormat, m.Schema, engineFormat, k.s.o.Schema)
	}
	return nil
}

func (k *sink) create(name string) error {
	f, err := k.s.o.FS.Create(k.s.o.FS.PathJoin(k.dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return k.s.o.fail(wrap("create file of a received state", err))
	}
	k.file = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: 1 << 20})
	return nil
}

// write copies first: a file of the engine's file system may change what it is given, a raft sink may not.
func (k *sink) write(p []byte) error {
	if k.scratch == nil {
		k.scratch = make([]byte, scratchBytes)
	}
	for len(p) > 0 {
		n := copy(k.scratch, p)
		if _, err := k.file.Write(k.scratch[:n]); err != nil {
			return k.s.o.fail(wrap("write received state", err))
		}
		p = p[n:]
	}
	return nil
}

func (k *sink) finish() error {
	if err := k.file.Close(); err != nil { // a syncing file syncs once more when it is closed
		return k.s.o.fail(wrap("sync received state", err))
	}
	k.file = nil
	return nil
}

// Close ends a snapshot of this node, or checks that the received state is whole and makes it ready for Restore.
func (k *sink) Close() error {
	if k.ended {
		return nil
	}
	k.arrived()
	if k.local {
		k.ended = true
		return nil
	}
	if err := k.complete(); err != nil {
		return errors.Join(err, k.Cancel())
	}
	k.ended = true
	k.s.o.step("sink close")
	return nil
}

func (k *sink) complete() error {
	if k.dec == nil {
		return streamError("it is empty")
	}
	m, err := k.dec.close()
	if err != nil {
		return err
	}
	i := &install{s: k.s, id: k.id, dir: k.dir, position: k.position, size: k.size}
	if err := i.prepare(m); err != nil {
		return err
	}
	k.s.addInstall(i)
	return nil
}

// Cancel removes what was received.
func (k *sink) Cancel() error {
	if k.ended {
		return nil
	}
	k.arrived()
	k.ended = true
	var err error
	if k.file != nil {
		err = k.file.Close()
	}
	if k.dir != "" {
		err = errors.Join(err, k.s.o.FS.RemoveAll(k.dir))
	}
	if err != nil {
		return k.s.o.fail(wrap("remove received state", err))
	}
	return nil
}

// Restore puts a received state in the place of the present one. Raft calls it on its FSM goroutine with what Open
// returned, in a wrapper or not. It waits for nobody: readers and snapshots keep the old state until they are done.
// An error means that nothing has changed, except ErrRestart.
//
// Should the node have applied more than the received state holds while that arrived, it keeps its own: both are
// prefixes of one log, and the owner skips the entries that raft hands over again.
func (s *Store) Restore(rc io.ReadCloser) error {
	i, err := unwrap(rc)
	if err != nil {
		return err
	}
	defer func() { _ = i.Close() }() // reports to Fatal itself; without effect after success
	p := i.position
	if have := s.Position(); p.Index < have.Index {
		s.o.Logger.Warn("kept the present state, a received one is older", "present", have.Index, "received", p.Index)
	} else {
		if err := s.replace(i); err != nil {
			return s.o.fail(wrap("install received state", err))
		}
		s.o.OnInstall()
	}
	if s.o.Log == nil {
		return nil
	}
	reason, err := s.o.Log.Installed(p.Index, p.Term)
	if err != nil {
		return s.o.fail(wrap("look at the log after an install", err))
	}
	if reason != "" {
		s.o.Restart(reason)
		return fmt.Errorf("%w: %s", ErrRestart, reason)
	}
	return nil
}

// replace gives the directory its name as the next generation, opens and publishes it. The rename decides: after it,
// this is the state, whatever happens.
func (s *Store) replace(i *install) error {
	old := s.current()
	i.used = true
	if err := s.promote(i.dir, old.number+1); err != nil {
		return err
	}
	if err := s.openGeneration(old.number + 1); err != nil {
		return err
	}
	s.counts.installs.Add(1)
	old.retire()
	return nil
}

// unwrap finds the install in what raft passes to Restore.
func unwrap(rc io.ReadCloser) (*install, error) {
	for {
		switch v := rc.(type) {
		case *install:
			return v, nil
		case raft.ReadCloserWrapper:
			rc = v.WrappedReadCloser()
		default:
			return nil, fmt.Errorf("restore: %T is no state received by this store", rc)
		}
	}
}
