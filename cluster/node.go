package cluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// Node is this process's member of the cluster. New makes it, Open opens the cluster port and Start makes it a member;
// until then it answers that it is not ready, and why. All methods are safe for concurrent use.
type Node struct {
	config Config
	log    hclog.Logger
	port   *transport.Port

	replica     atomic.Pointer[replica] // nil until the node is a member
	draining    context.Context         // ends when the node begins to stop
	drain       context.CancelFunc
	drainedTerm atomic.Uint64 // in which the leadership was last handed over, or nobody was there to take it
	receives    sync.Map      // receiveKey -> *heldReceive: long polls that wait here while this node leads

	disk            atomic.Pointer[diskSpace] // as of the last look
	diskFails       atomic.Bool               // the last look failed
	sendsRefused    atomic.Bool               // the disks of a majority of the voters are low
	removed         atomic.Bool               // a leader has said that this node does not belong to the cluster any more
	certificateEnds atomic.Int64              // in milliseconds since 1970
	authorityEnds   atomic.Int64              // likewise
	mismatchAt      atomic.Uint64             // the last log index at which the replicas were counted as different
	touches         keyTouches
	sessions        [fsm.MaxLanes]*session
	failures        logLimit

	mu        sync.Mutex
	directory directory
	waiting   string                   // why the node is not a member yet
	joinKeys  []*fsmpb.JoinKey         // tokens that this process was given, good before the cluster's are known
	addresses map[string]*fsmpb.Member // what members said of themselves, over what the cluster has recorded
	statuses  map[string]memberStatus  // their last answers
	progress  progress                 // of the log
	stop      context.CancelFunc       // ends what Start began
	ended     sync.WaitGroup
}

// New makes a node; nothing is opened yet.
func New(c Config) *Node {
	c = c.withDefaults()
	n := &Node{
		config: c, log: c.Logger.Named("cluster"), waiting: "the node is starting",
		addresses: map[string]*fsmpb.Member{}, statuses: map[string]memberStatus{},
		directory: directory{Name: c.NodeName},
	}
	n.disk.Store(&diskSpace{})
	n.draining, n.drain = context.WithCancel(context.Background())
	n.sessions = n.newSessions()
	if registry := c.Metrics.registry; registry != nil {
		registry.MustRegister(newNodeCollector(n), newQueueCollector(n, nil))
	}
	return n
}

// Open reads the data directory and opens the cluster port. It reports whether the directory belongs to a member.
func (n *Node) Open() (member bool, err error) {
	for _, dir := range []string{n.config.DataDir, filepath.Join(n.config.DataDir, tlsDir)} {
		if err := makeDirectory(dir); err != nil {
			return false, writeError(n.config.DataDir, fmt.Errorf("create data directory: %w", err))
		}
	}
	d, member, err := readDirectory(n.config.DataDir)
	if err != nil {
		return false, err
	}
	if member && d.LogStore != n.config.LogStore {
		return false, fmt.Errorf("%s was made with --log-store %s: start it with that, or join with an empty directory", n.config.DataDir, d.LogStore)
	}
	if !member {
		if err := refuseRemains(n.config.DataDir); err != nil {
			return false, err
		}
		d = newDirectory(n.config.NodeName, n.config.LogStore)
	}
	n.mu.Lock() // requests may be served already, to be told that the node is starting
	n.directory = d
	n.mu.Unlock()
	if err := n.loadAddresses(); err != nil {
		return false, err
	}
	n.port, err = transport.Listen(n.config.ClusterAddr, transport.Options{
		Logger: n.config.Logger.Named("port"), Addresses: n.address, Dial: n.config.Dial, Listen: n.config.Listen,
		Handler: n, JoinKeys: n.currentJoinKeys, Admit: n.admitRemote, Late: n.late,
	})
	if err != nil {
		return false, fmt.Errorf("open cluster port: %w", err)
	}
	return member, nil
}

// Start runs a node whose directory belongs to a member.
func (n *Node) Start() error {
	first, err := n.founding()
	if err != nil {
		return err
	}
	if first != nil && first.Cluster.GetId() != n.clusterID() { // of a try that a crash ended before this node joined
		first = nil
		if err := removeFile(filepath.Join(n.config.DataDir, foundingFile)); err != nil {
			return writeError(n.config.DataDir, err)
		}
	}
	identity, err := n.loadIdentity()
	if err != nil {
		return err
	}
	n.useIdentity(identity)
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	r, err := openReplica(n.config, n.directory.ID, n.port, first != nil)
	if err != nil {
		cancel()
		return err
	}
	n.replica.Store(r)
	n.setWaiting("")
	n.ended.Add(4)
	go n.watchDisk(ctx)
	go n.renewCertificate(ctx)
	go n.pollMembers(ctx)
	go n.reconcileMembers(ctx)
	if first != nil {
		n.ended.Add(1)
		go n.finishFounding(ctx, first)
	}
	return nil
}

// Close stops the node at once. Drain first, unless it does not matter.
func (n *Node) Close() error {
	n.drain()
	if n.stop != nil {
		n.stop()
	}
	r := n.replica.Load()
	var err error
	if r != nil {
		err = r.halt()
	}
	if n.port != nil {
		err = closeAfter(err, n.port)
	}
	n.ended.Wait()
	if r != nil {
		err = r.close(err)
	}
	return err
}

// ID is the raft server id: the node's name and the incarnation of its directory.
func (n *Node) ID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.directory.ID
}

// Name is the node's name.
func (n *Node) Name() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.directory.Name
}

// ClusterAddr is the address on which the cluster port listens.
func (n *Node) ClusterAddr() net.Addr { return n.port.Addr() }

// FSM is this node's state machine, or nil while it is not a member.
func (n *Node) FSM() *fsm.FSM {
	if r := n.replica.Load(); r != nil {
		return r.fsm
	}
	return nil
}

// self is what this node says of itself to others.
func (n *Node) self() *fsmpb.Member {
	return &fsmpb.Member{
		Id: n.directory.ID, Name: n.directory.Name, Version: n.config.Version,
		ClusterAddress: n.config.AdvertiseCluster, HttpAddress: n.config.AdvertiseHTTP,
	}
}

// address is where a member is dialled: as it last said itself, else as the cluster has recorded it.
func (n *Node) address(id string) (string, bool) {
	n.mu.Lock()
	m := n.addresses[id]
	n.mu.Unlock()
	if m != nil {
		return m.ClusterAddress, true
	}
	for _, m := range n.members() {
		if m.Id == id {
			return m.ClusterAddress, true
		}
	}
	return "", false
}

// members are the recorded members, overridden and completed by what members last said of themselves, sorted by id.
func (n *Node) members() []*fsmpb.Member {
	byID := map[string]*fsmpb.Member{}
	if f := n.FSM(); f != nil {
		v := f.View()
		for _, m := range v.Members() {
			byID[m.Id] = m
		}
		v.Close()
	}
	n.mu.Lock()
	maps.Copy(byID, n.addresses)
	n.mu.Unlock()
	return slices.SortedFunc(maps.Values(byID), func(a, b *fsmpb.Member) int { return strings.Compare(a.Id, b.Id) })
}

func (n *Node) whyWaiting() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waiting
}

// setWaiting notes why the node is not a member yet; a new reason is worth a line in the log.
func (n *Node) setWaiting(reason string) {
	n.mu.Lock()
	changed := reason != n.waiting
	n.waiting = reason
	n.mu.Unlock()
	if changed && reason != "" {
		n.log.Warn("this node is not a member yet", "reason", reason)
	}
}
