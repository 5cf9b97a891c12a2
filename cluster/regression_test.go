package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/logstore"
)

// Each of these tests was red once.

// Each worker receives after its own send was acknowledged: whoever takes which, there is a message for each. Receives that
// are being answered still count as takers, and were subtracted from a ready count that no longer held their messages.
func TestNoReceiveIsEmptyWhileThereIsAMessageForIt(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	var workers sync.WaitGroup
	for w := range 32 {
		workers.Go(func() {
			for range 25 {
				c.send(w%3, "q", "job")
				if got := c.receive(w%3, "q", 1, 0); len(got) != 1 {
					t.Errorf("received %q after a send was acknowledged", got)
				}
			}
		})
	}
	workers.Wait()
}

// The first try reached a leader whose answer was lost; that later tries found no leader says nothing about it.
func TestAReceiveWhoseAnswerWasLostIsUnknown(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, nil)
	c.createQueue(0, "q")
	c.send(0, "q", "job")
	leader := c.leader()
	via, third := (leader+1)%3, (leader+2)%3
	l := c.nodes[leader].replica.Load().leadership.Load()
	release := l.writes.hold() // the receive waits in the leader's queue
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := c.nodes[via].Receive(ctx, receiveCommand("q", 1), 0)
		done <- err
	}()
	eventually(t, "the receive to be queued at the leader", func() bool {
		l.writes.mu.Lock()
		defer l.writes.mu.Unlock()
		return len(l.writes.queue) >= 1
	})
	if err := c.nodes[leader].port.Close(); err != nil {
		t.Fatal(err)
	}
	c.stop(third)
	err := <-done
	if failure, ok := err.(*Error); !ok || !failure.Unknown {
		t.Errorf("the outcome is %v, want unknown", err)
	}
	release()
}

// A crash inside Found leaves a first command without node.json. A node that then joins must not found with it.
func TestWhatACrashInFoundLeavesIsForgottenByJoin(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	c.nodes = append(c.nodes, &testNode{dir: filepath.Join(t.TempDir(), "n1")})
	t.Cleanup(func() { c.stop(1) })
	n := c.open(1)
	first, _, err := n.firstCommand(Founding{JoinToken: c.token, AdminName: "admin", AdminPasswordHash: "hash"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(c.nodes[1].dir, foundingFile), data); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	if err := n.Join(ctx, []string{address(0)}, c.token); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(c.nodes[1].dir, foundingFile)); !os.IsNotExist(err) {
		t.Errorf("the first command of another cluster is still there: %v", err)
	}
	if err := n.WaitVoter(ctx); err != nil {
		t.Fatal(err)
	}
	mine, theirs := n.FSM().View(), c.nodes[0].FSM().View()
	defer mine.Close()
	defer theirs.Close()
	if got, want := mine.Cluster().GetId(), theirs.Cluster().GetId(); got != want {
		t.Errorf("the joined node is in cluster %s, the other one in %s", got, want)
	}
}

// A crash between raft's first term and its first entry leaves a term without a configuration.
func TestACrashInTheMiddleOfBootstrapIsRepaired(t *testing.T) {
	t.Parallel()
	logStores(t, func(t *testing.T, logStore string) {
		c := newTestCluster(t, logStore, 0, nil)
		c.nodes = append(c.nodes, &testNode{dir: filepath.Join(t.TempDir(), "n0")})
		t.Cleanup(func() { c.stop(0) })
		n := c.open(0)
		logs, err := logstore.Open(filepath.Join(c.nodes[0].dir, logDir), logstore.Kind(logStore), logstore.Options{Fatal: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatal(err)
		}
		if err := logs.SetUint64([]byte("CurrentTerm"), 1); err != nil {
			t.Fatal(err)
		}
		if err := logs.Close(); err != nil {
			t.Fatal(err)
		}
		if err := n.Found(Founding{JoinToken: c.token, AdminName: "admin", AdminPasswordHash: "hash"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
		defer cancel()
		if err := n.WaitVoter(ctx); err != nil {
			t.Errorf("the founder does not lead: %v", err)
		}
	})
}

// A log and a state that have lost the record of whose they are must not be taken for those of a new member.
func TestALogWithoutNodeJSONIsRefused(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	c.stop(0)
	if err := os.Remove(filepath.Join(c.nodes[0].dir, directoryFile)); err != nil {
		t.Fatal(err)
	}
	n := New(Config{DataDir: c.nodes[0].dir, NodeName: "n0", LogStore: "bolt", ClusterAddr: "127.0.0.1:0"})
	if _, err := n.Open(); err == nil {
		t.Error("the directory was opened as that of a new node")
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// What still looks at the state while the node closes sees nothing, and nobody panics.
func TestTheStateMayBeReadWhileTheNodeCloses(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	n := c.nodes[0].Node
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					n.members()
					n.Cluster()
					n.Ready()
				}
			}
		})
	}
	c.stop(0)
	close(stop)
	readers.Wait()
}

// A round ends with the first majority, and of two clocks the lower one is the median. A clock that is an hour slow must
// not be followed because it answered early.
func TestAWrongClockIsOutvotedByThoseThatAnswerLater(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 3, func(c *Config) {
		if c.NodeName == "n2" {
			c.Wall = func() time.Time { return time.Now().Add(-time.Hour) }
		}
	})
	for i := c.leader(); i == 2; i = c.leader() { // with the slow one leading there would be nothing to see
		ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
		c.nodes[2].Drain(ctx)
		cancel()
	}
	l := c.nodes[c.leader()].replica.Load().leadership.Load()
	for range 20 {
		target, certain, err := l.sampleClocks()
		if err != nil {
			t.Fatal(err)
		}
		if behind := time.Since(time.UnixMilli(target)); certain && behind > 30*time.Minute {
			t.Fatalf("the sample is %s behind", fmt.Sprint(behind.Round(time.Second)))
		}
	}
}

// The clocks that were read at the beginning of a sample were taken for those at its end. With a voter missing that is
// clockWait later: the clock of the term ran that much behind, and leases that the one before had given ended early.
func TestASampleOfTheClocksIsNotLate(t *testing.T) {
	t.Parallel()
	var silent atomic.Value // name of the member that does not tell its time
	silent.Store("")
	released := make(chan struct{})
	c := newTestCluster(t, "wal", 3, func(c *Config) {
		of := c.NodeName
		c.Wall = func() time.Time {
			if silent.Load() == of {
				<-released
			}
			return time.Now()
		}
	})
	leader := c.leader()
	l := c.nodes[leader].replica.Load().leadership.Load()
	silent.Store(name((leader + 1) % 3))
	defer close(released)
	began := time.Now()
	target, _, err := l.sampleClocks()
	if err != nil {
		t.Fatal(err)
	}
	// It waits for the third clock in vain.
	if passed := time.UnixMilli(target).Sub(began); passed < clockWait/2 {
		t.Errorf("the sample is of %s after its beginning, and took %s at least", passed, clockWait)
	}
}

// The median was found as an offset to this node's clock and added to what that showed a moment later: a clock that was set
// in between moved the clock of the term by as much, and all leases ended.
func TestAClockThatIsSetDuringASampleMovesNothing(t *testing.T) {
	t.Parallel()
	var restless atomic.Value // name of the member whose clock is set again and again
	var looks atomic.Int64
	restless.Store("")
	c := newTestCluster(t, "wal", 3, func(c *Config) {
		of := c.NodeName
		c.Wall = func() time.Time {
			if restless.Load() == of {
				return time.Now().Add(time.Duration(looks.Add(1)%3) * time.Hour)
			}
			return time.Now()
		}
	})
	leader := c.leader()
	l := c.nodes[leader].replica.Load().leadership.Load()
	restless.Store(name(leader))
	for range 20 {
		target, certain, err := l.sampleClocks()
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Until(time.UnixMilli(target)); certain && off.Abs() > 30*time.Minute {
			t.Fatalf("the sample is %s off", off.Round(time.Second))
		}
	}
	if looks.Load() < 20 {
		t.Errorf("the restless clock was looked at %d times", looks.Load())
	}
}

// neverAnswered is an entry that was in raft's buffer when raft was shut down.
type neverAnswered struct{ raft.ApplyFuture }

func (neverAnswered) Error() error { select {} }

// A node that is stopped while it begins to lead does not wait for a tick that raft has forgotten.
func TestATermEndsWithoutAnAnswerToItsTick(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &leadership{ctx: ctx}
	outcome := make(chan error, 1)
	go func() { outcome <- l.wait(neverAnswered{}) }()
	cancel()
	select {
	case err := <-outcome:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the tick ended with %v", err)
		}
	case <-time.After(testDeadline):
		t.Error("the term waits for ever")
	}
}
