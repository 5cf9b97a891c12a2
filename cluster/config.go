package cluster

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/cluster/logstore"
)

// Exit codes of a process that ends itself, so that its supervisor and its operator can tell why.
const (
	ExitStorage  = 75 // the disk failed or stalled
	ExitDiverged = 77 // this replica differs from two others
)

// Config is everything a node is told from outside. Zero values of the timing and size fields mean the defaults.
type Config struct {
	DataDir          string
	NodeName         string
	ClusterAddr      string // listen address of the cluster port
	AdvertiseCluster string // where other members reach it; may be a DNS name, resolved at every dial
	AdvertiseHTTP    string // where clients reach the HTTP API of this node
	Peers            []string
	LogStore         string // "bolt" or "wal"
	Version          string
	Logger           hclog.Logger
	DiskReserve      DiskReserve // zero: the larger of 5 % and 1 GiB
	Metrics          *Metrics    // of this node alone; nil: nobody reads them

	RegistrationClosed bool // only admins make users; one member that says so is enough, see Node.RegistrationClosed

	Exit    func(code int, reason string)                           // ends the process, and must not return in production
	Restart func(reason string)                                     // ends the process and starts it again
	Dial    func(context.Context, string, string) (net.Conn, error) // nil: net.Dialer
	Listen  func(network, address string) (net.Listener, error)     // of the cluster port; nil: net.Listen
	Wall    func() time.Time                                        // what this machine's clock shows; nil: time.Now
	Disk    func(dir string) (free, total uint64, err error)        // bytes on dir's file system, which may not exist yet; nil: statfs

	Heartbeat       time.Duration // heartbeat and election timeout
	LeaderLease     time.Duration // after which a leader that hears of no majority steps down; four fifths of Heartbeat
	Commit          time.Duration // 10 ms
	TrailingLogs    uint64        // entries kept behind a snapshot
	SnapshotEntries uint64        // a snapshot after this many entries
	SnapshotBytes   uint64        // or this much log
	SegmentBytes    int           // of a new log segment of raft-wal

	// step is called between the named steps of a change of the members, where a crash could separate them; tests only.
	step func(name string)

	// wrapLog stands between a node and its log; tests only.
	wrapLog func(logstore.Store) logstore.Store

	// unbuffered takes raft's buffer of proposals away: what is in it when raft is shut down is never answered, and whoever
	// waits for that never ends, which the bubble of a test does not accept; tests only.
	unbuffered bool
}

// Defaults of the timing and size fields of Config.
const (
	DefaultHeartbeat       = 400 * time.Millisecond
	DefaultTrailingLogs    = 10_000
	DefaultSnapshotEntries = 50_000
	DefaultSnapshotBytes   = 128 << 20
	DefaultSegmentBytes    = 64 << 20
)

// withDefaults fills in what was left out.
//
// Heartbeat and lease: with 400 ms writes go on 0.9 s after the loss of a leader at the median, with the library's 1 s after
// 1.8 s. Commit: followers learn the commit index with the next entry, or after this time on a quiet cluster.
func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.Disk == nil {
		c.Disk = statfs
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.wrapLog == nil {
		c.wrapLog = func(s logstore.Store) logstore.Store { return s }
	}
	if c.step == nil {
		c.step = func(string) {}
	}
	setDefault(&c.Heartbeat, DefaultHeartbeat)
	setDefault(&c.LeaderLease, c.Heartbeat*4/5)
	setDefault(&c.Commit, 10*time.Millisecond)
	setDefault(&c.TrailingLogs, DefaultTrailingLogs)
	setDefault(&c.SnapshotEntries, DefaultSnapshotEntries)
	setDefault(&c.SnapshotBytes, DefaultSnapshotBytes)
	setDefault(&c.SegmentBytes, DefaultSegmentBytes)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
