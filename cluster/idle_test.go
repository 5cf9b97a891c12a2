package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// TestAnIdleLeaderProposesNothing lets ten virtual minutes pass on a leader: first with nothing due, then with one lease
// that ends in between, which costs one entry.
func TestAnIdleLeaderProposesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLoneReplica(t)
		defer r.stopLone(t)
		l, err := r.lead(r.ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		r.leadership.Store(l)
		apply := func(c *fsmpb.Command) *fsmpb.Result {
			done := make(chan *fsmpb.Result, 1)
			l.writes.submit(proposal{data: encodeCommand(c), done: func(result *fsmpb.Result, err *Error) {
				if err != nil {
					t.Error(err)
				}
				done <- result
			}})
			return <-done
		}
		apply(&fsmpb.Command{Op: &fsmpb.Command_InitCluster{InitCluster: &fsmpb.InitCluster{
			Cluster: &fsmpb.Cluster{Id: "c"}, SigningKey: &fsmpb.SigningKey{Id: "k"}, AdminName: "admin", Member: &fsmpb.Member{Id: "n"},
		}}})
		apply(&fsmpb.Command{Principal: admin, Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
			Name: "q", Settings: &fsmpb.QueueSettings{MaxLength: 10, VisibilityTimeoutS: 30},
		}}})
		before := r.raft.LastIndex()
		time.Sleep(10 * time.Minute)
		if after := r.raft.LastIndex(); after != before {
			t.Errorf("ten idle minutes made %d log entries", after-before)
		}
		apply(sendCommand("q", "job"))
		apply(receiveCommand("q", 1))
		before = r.raft.LastIndex()
		time.Sleep(10 * time.Minute)
		if after := r.raft.LastIndex(); after != before+1 {
			t.Errorf("a lease that ended made %d log entries, want 1", after-before)
		}
		if n, _ := r.fsm.ReadyMessages("q"); n != 1 {
			t.Errorf("%d messages are ready after the lease, want 1", n)
		}
	})
}

// newLoneReplica is a replica without ports and disks, in a cluster of its own.
func newLoneReplica(t *testing.T) *replica {
	config := Config{
		Exit:    func(code int, reason string) { t.Errorf("exit %d: %s", code, reason) },
		Restart: func(reason string) { t.Errorf("restart: %s", reason) },
	}.withDefaults()
	r := &replica{config: config, id: "n", log: config.Logger, changed: newBroadcast(), started: time.Now()}
	var err error
	if r.fsm, err = fsm.Open("state", fsm.Options{FS: vfs.NewMem(), Fatal: func(err error) { t.Error(err) }}); err != nil {
		t.Fatal(err)
	}
	logs := raft.NewInmemStore()
	_, transport := raft.NewInmemTransport("n")
	c := r.raftConfig()
	servers := raft.Configuration{Servers: []raft.Server{{ID: "n", Address: "n"}}}
	if err := raft.BootstrapCluster(c, logs, logs, r.fsm.Snapshots(), transport, servers); err != nil {
		t.Fatal(err)
	}
	r.notify = make(chan bool, 16)
	c.NotifyCh = r.notify
	if r.raft, err = raft.NewRaft(c, r.fsm, logs, logs, r.fsm.Snapshots(), transport); err != nil {
		t.Fatal(err)
	}
	r.ctx = t.Context()
	<-r.notify
	return r
}

func (r *replica) stopLone(t *testing.T) {
	if err := r.raft.Shutdown().Error(); err != nil {
		t.Error(err)
	}
	if err := r.fsm.Close(); err != nil {
		t.Error(err)
	}
}
