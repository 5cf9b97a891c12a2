package cluster

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
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
	Wall    func() time.Time                                        // nil: time.Now
	Disk    func(dir string) (free, total uint64, err error)        // bytes on dir's file system, which may not exist yet; nil: statfs

	Heartbeat       time.Duration // heartbeat and election timeout: 500 ms
	LeaderLease     time.Duration // 400 ms
	Commit          time.Duration // 10 ms
	TrailingLogs    uint64        // entries kept behind a snapshot: 10,000
	SnapshotEntries uint64        // a snapshot after this many entries: 50,000
	SnapshotBytes   uint64        // or this much log: 128 MiB
	SegmentBytes    int           // of a log segment of raft-wal: 64 MiB
}

// withDefaults fills in what was left out.
//
// Heartbeat and lease: with 500 ms a lost leader is replaced within 0.9 s at the median, with the library's 1 s in
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
	setDefault(&c.Heartbeat, 500*time.Millisecond)
	setDefault(&c.LeaderLease, 400*time.Millisecond)
	setDefault(&c.Commit, 10*time.Millisecond)
	setDefault(&c.TrailingLogs, 10_000)
	setDefault(&c.SnapshotEntries, 50_000)
	setDefault(&c.SnapshotBytes, 128<<20)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
