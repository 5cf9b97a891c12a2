package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm"
)

const (
	applyStall    = 10 * time.Second // one Apply that does not finish
	watchInterval = time.Second
	raftTimeout   = 5 * time.Second // of one raft RPC, snapshots aside
	timeoutScale  = 32 << 20        // a snapshot may take raftTimeout for each of these bytes
)

// replica is the part of a node that exists once it belongs to a cluster: log, state machine and raft, and the
// leadership while it leads.
type replica struct {
	config Config
	id     string
	log    hclog.Logger
	port   *transport.Port

	fsm       *fsm.FSM
	logs      *leaderLog
	streams   *raftStreams
	transport *steadyTransport
	raft      *raft.Raft
	notify    chan bool

	leadership atomic.Pointer[leadership]
	agreed     atomic.Pointer[moment] // of the voters' clocks, as last heard without doubt; nil: not yet
	changed    *broadcast             // leader or leadership changed
	ctx        context.Context
	stop       context.CancelFunc
	done       chan struct{} // watchLeadership has returned
	started    time.Time
}

// openReplica opens log and state, checks that they fit together, and starts raft on them. bootstrap founds a cluster of
// this one node if the log is empty.
func openReplica(c Config, id string, port *transport.Port, bootstrap bool) (*replica, error) {
	r := &replica{
		config: c, id: id, log: c.Logger.Named("cluster"), port: port,
		notify: make(chan bool, 16), changed: newBroadcast(), done: make(chan struct{}), started: time.Now(),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	fatal := func(err error) { c.Exit(ExitStorage, storageAdvice(c.DataDir, err)) }
	logs, err := logstore.Open(filepath.Join(c.DataDir, logDir), logstore.Kind(c.LogStore), logstore.Options{
		Logger: c.Logger.Named("log"), Fatal: fatal, SegmentBytes: c.SegmentBytes, Observe: c.Metrics.wrote,
	})
	if err != nil {
		return nil, storageError(c.DataDir, fmt.Errorf("open log: %w", err))
	}
	r.logs = newLeaderLog(c.wrapLog(logs), r.leads)
	r.fsm, err = fsm.Open(filepath.Join(c.DataDir, stateDir), fsm.Options{
		Logger: c.Logger.Named("state"), Fatal: fatal, Restart: c.Restart, Log: r.logs, OnCommit: r.wakeWaiters,
		Clock: time.Now, OnFlush: c.Metrics.flushed,
	})
	if err != nil {
		return nil, storageError(c.DataDir, closeAfter(err, r.logs))
	}
	if err := r.start(bootstrap); err != nil {
		return nil, storageError(c.DataDir, closeAfter(err, r.fsm, r.logs))
	}
	go r.watchLeadership()
	go r.watchProgress()
	return r, nil
}

// start checks log against state and starts raft.
func (r *replica) start(bootstrap bool) error {
	position, installed := r.fsm.Position(), r.fsm.Store().Installed()
	applied := logstore.Applied{
		Index: position.Index, Term: position.Term,
		InstalledIndex: installed.Index, InstalledTerm: installed.Term,
	}
	if err := logstore.Reconcile(r.logs, applied); err != nil {
		return fmt.Errorf("check log against state: %w", err)
	}
	r.streams = &raftStreams{StreamLayer: r.port.RaftLayer(), open: map[*raftStream]bool{}}
	r.transport = &steadyTransport{memberTransport: newRaftTransport(r.streams, quieter{r.log.Named("raft")}), written: r.logs.written}
	config := r.raftConfig()
	if bootstrap {
		if err := r.bootstrap(config); err != nil {
			return err
		}
	}
	machine := writtenFSM{measuredFSM{r.fsm, r.config.Metrics.applySeconds}, r.logs}
	started, err := raft.NewRaft(config, machine, r.logs, r.logs, r.fsm.Snapshots(), r.transport)
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	r.raft = started
	r.transport.raft.Store(started)
	r.observeLeader()
	return nil
}

// newRaftTransport has no pipeline: one rejected request would stop it for ever (raft#611, raft#612).
func newRaftTransport(stream raft.StreamLayer, log hclog.Logger) *raft.NetworkTransport {
	t := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: stream, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: raftTimeout, Logger: log, MsgpackUseNewTimeFormat: true,
	})
	t.TimeoutScale = timeoutScale
	return t
}

// raftConfig sets what measurements and the library's traps demand: no own snapshot trigger
// (watchProgress has it), a buffered apply channel.
func (r *replica) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(r.id)
	c.HeartbeatTimeout, c.ElectionTimeout = r.config.Heartbeat, r.config.Heartbeat
	c.LeaderLeaseTimeout = r.config.LeaderLease
	c.CommitTimeout = r.config.Commit
	c.MaxAppendEntries = 64
	c.BatchApplyCh = !r.config.unbuffered
	c.ShutdownOnRemove = false
	c.TrailingLogs = r.config.TrailingLogs
	c.SnapshotThreshold = 1 << 62
	c.SnapshotInterval = 24 * time.Hour
	c.NoSnapshotRestoreOnStart = true
	c.NotifyCh = r.notify
	c.Logger = quieter{r.log.Named("raft")}
	return c
}

func (r *replica) bootstrap(config *raft.Config) error {
	last, err := r.logs.LastIndex()
	if err != nil || last > 0 || r.fsm.Position().Index > 0 {
		return err
	}
	// A crash in the middle of an earlier try has left a term without a configuration. Nobody can have voted in it.
	if err := r.logs.SetUint64([]byte("CurrentTerm"), 0); err != nil {
		return fmt.Errorf("found cluster: %w", err)
	}
	servers := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(r.id), Address: raft.ServerAddress(r.id)}}}
	if err := raft.BootstrapCluster(config, r.logs, r.logs, r.fsm.Snapshots(), r.transport, servers); err != nil {
		return fmt.Errorf("found cluster: %w", err)
	}
	return nil
}

// halt ends the leadership and stops raft.
func (r *replica) halt() error {
	r.stop()
	err := r.raft.Shutdown().Error()
	<-r.done
	return closeAfter(err, r.transport)
}

// close flushes the state and closes the log. raft uses both until it has stopped.
func (r *replica) close(err error) error { return closeAfter(err, r.fsm, r.logs) }

// observeLeader has everybody who waits for a leader, or for the answer of the one before, look again.
func (r *replica) observeLeader() {
	events := make(chan raft.Observation, 16)
	r.raft.RegisterObserver(raft.NewObserver(events, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	}))
	go func() {
		last := raft.ServerID("")
		for {
			select {
			case o := <-events:
				if id := o.Data.(raft.LeaderObservation).LeaderID; id != "" && id != last {
					r.port.Depose(string(last))
					last = id
					r.config.Metrics.leaderChanges.Inc()
				}
				r.changed.all()
			case <-r.ctx.Done():
				return
			}
		}
	}()
}

// leader is the id of the member that this node takes for the leader, or empty.
func (r *replica) leader() string {
	_, id := r.raft.LeaderWithID()
	return string(id)
}

// leads tells whether raft says that this node leads. It can be asked while raft starts.
func (r *replica) leads() bool {
	started := r.transport.raft.Load()
	return started != nil && started.State() == raft.Leader
}

// voters are the ids of all voters in the latest configuration.
func (r *replica) voters() []string {
	var ids []string
	for _, s := range r.servers() {
		if s.Suffrage == raft.Voter {
			ids = append(ids, string(s.ID))
		}
	}
	return ids
}

// has tells whether a node is in the latest configuration.
func (r *replica) has(id string) bool {
	return slices.ContainsFunc(r.servers(), func(s raft.Server) bool { return string(s.ID) == id })
}

func (r *replica) servers() []raft.Server {
	future := r.raft.GetConfiguration()
	if future.Error() != nil { // raft was shut down
		return nil
	}
	return future.Configuration().Servers
}

// watchLeadership begins and ends terms as raft says.
func (r *replica) watchLeadership() {
	defer close(r.done)
	var current *leadership
	end := func() {
		if current != nil {
			r.leadership.Store(nil)
			current.close()
			current = nil
			r.changed.all()
		}
	}
	defer end()
	for {
		select {
		case leads := <-r.notify:
			end()
			if leads {
				current = r.begin()
			}
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *replica) begin() *leadership {
	l, err := r.lead(r.ctx)
	for err != nil && r.raft.State() == raft.Leader && r.ctx.Err() == nil {
		r.log.Debug("term not established yet", "error", err)
		select {
		case <-time.After(retryPause):
		case <-r.ctx.Done():
		}
		l, err = r.lead(r.ctx)
	}
	if err != nil {
		return nil
	}
	r.log.Info("leading", "term", l.term)
	r.leadership.Store(l)
	r.changed.all()
	return l
}

// wakeWaiters runs on raft's FSM goroutine and must not hold it up.
func (r *replica) wakeWaiters(queues []string) {
	if l := r.leadership.Load(); l != nil {
		l.wakeSoon(queues)
	}
}

// watchProgress takes snapshots, gives up a state that does not arrive, and ends the process when committed entries are
// not applied: a full disk makes Pebble wait for ever and return nothing.
func (r *replica) watchProgress() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	watch, arrival := stallWatch{limit: applyStall}, arrivalWatch{}
	snapshotAt := r.logs.AppendedBytes()
	snapshotted := make(chan bool, 1) // a snapshot waits for Apply, and so must not hold up the watch over it
	running, began := false, uint64(0)
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-ticker.C:
			if started, finished := r.fsm.Progress(); watch.stalled(started, finished) {
				r.config.Exit(ExitStorage, fmt.Sprintf("applying committed entries has not finished for %s: the disk of %s is full or hangs", applyStall, r.config.DataDir))
			}
			if bytes, arriving := r.fsm.Store().Arriving(); arrival.stalled(bytes, arriving) {
				r.log.Warn("a state that arrives has stood still, and is given up", "seconds", arrivalStall.Seconds(), "bytes", bytes)
				r.streams.cut()
			}
			if bytes := r.logs.AppendedBytes(); !running && r.snapshotDue(bytes-snapshotAt) {
				running = true
				go func() {
					snapshotted <- r.snapshot()
				}()
				began = bytes
			}
		case ok := <-snapshotted:
			running = false
			if ok {
				snapshotAt = began
			}
		}
	}
}

func (r *replica) snapshotDue(bytes uint64) bool {
	first, err := r.logs.FirstIndex()
	if err != nil { // the wrapper has ended the process
		return false
	}
	entries := r.fsm.Applied() - min(first, r.fsm.Applied())
	return bytes >= r.config.SnapshotBytes || entries >= r.config.SnapshotEntries+r.config.TrailingLogs
}

func (r *replica) snapshot() bool {
	began := time.Now()
	err := r.raft.Snapshot().Error()
	if err != nil {
		r.log.Info("no snapshot now", "reason", err)
		return false
	}
	r.config.Metrics.snapshotted(began, time.Now())
	return true
}

// stallWatch notices an Apply that does not finish. It counts looks, one each watchInterval: a process that is halted, by
// SIGSTOP or with its machine, looks once for all that time.
type stallWatch struct {
	limit   time.Duration
	started uint64        // the Apply that was running at the last look
	running time.Duration // since it was first seen running
}

func (w *stallWatch) stalled(started, finished uint64) bool {
	if started == finished || started != w.started {
		w.started, w.running = started, 0
		return false
	}
	w.running += watchInterval
	return w.running >= w.limit
}
