package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsOfQueues(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	c := newTestCluster(t, "bolt", 1, func(c *Config) {
		measured(c)
		c.Wall = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	n := c.nodes[0]
	c.createQueue(0, "idle")
	c.createQueue(0, "orders")
	for range 3 {
		c.send(0, "orders", "m")
	}
	delayed := sendCommand("orders", "m")
	delayed.GetSendMessage().Messages[0].DelayS = 900
	c.propose(0, delayed)
	c.receive(0, "orders", 1, 0)
	want := `# HELP fastqueue_queue_limit_messages How many messages a queue may hold.
# TYPE fastqueue_queue_limit_messages gauge
fastqueue_queue_limit_messages{queue="idle"} 1e+06
fastqueue_queue_limit_messages{queue="orders"} 1e+06
# HELP fastqueue_queue_messages Messages in a queue: visible (can be received), in_flight (leased) or delayed.
# TYPE fastqueue_queue_messages gauge
fastqueue_queue_messages{queue="idle",state="delayed"} 0
fastqueue_queue_messages{queue="idle",state="in_flight"} 0
fastqueue_queue_messages{queue="idle",state="visible"} 0
fastqueue_queue_messages{queue="orders",state="delayed"} 1
fastqueue_queue_messages{queue="orders",state="in_flight"} 1
fastqueue_queue_messages{queue="orders",state="visible"} 2
`
	if err := testutil.GatherAndCompare(n.registry(), strings.NewReader(want), "fastqueue_queue_messages", "fastqueue_queue_limit_messages"); err != nil {
		t.Error(err)
	}
	later.Store(int64(100 * time.Second))
	if age := n.must(t, "queue_oldest_message_age_seconds", "queue=orders"); age < 100 || age > 100+testDeadline.Seconds() {
		t.Errorf("the oldest message was sent %v seconds ago, want 100 and a little", age)
	}
	if age := n.must(t, "queue_oldest_message_age_seconds", "queue=idle"); age != 0 {
		t.Errorf("the oldest message of an empty queue is %v seconds old", age)
	}
}

// TestMetricsOfWaitingReceives: the leader knows who waits; where the client's connection is does not matter.
func TestMetricsOfWaitingReceives(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 2, measured)
	leads := c.leader()
	leader, follower := c.nodes[leads], c.nodes[1-leads]
	c.createQueue(leads, "q")
	var done sync.WaitGroup
	for _, through := range []*testNode{leader, follower} {
		done.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
			defer cancel()
			if _, err := through.Receive(ctx, receiveCommand("q", 1), testDeadline); err != nil {
				t.Error(err)
			}
		})
	}
	leader.eventually(t, "queue_waiters", 2, "queue=q")
	if v, ok := sample(t, follower.registry(), "queue_waiters"); ok {
		t.Errorf("a node that does not lead knows of %v waiting receives", v)
	}
	c.send(leads, "q", "a")
	leader.eventually(t, "queue_waiters", 1, "queue=q")
	c.send(leads, "q", "b")
	leader.eventually(t, "queue_waiters", 0, "queue=q")
	done.Wait()
}

// TestOnlySoManyQueuesHaveSeries: the rest is summed up, with the queue that has the name of the sum.
func TestOnlySoManyQueuesHaveSeries(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "wal", 1, measured)
	n := c.nodes[0]
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for j := range 50 {
				c.createQueue(0, fmt.Sprintf("a%03d", i*50+j))
			}
		})
	}
	all.Wait()
	for _, extra := range []string{otherQueues, "z1", "z2"} {
		c.createQueue(0, extra)
		c.send(0, extra, "m")
	}
	count := func(g prometheus.Gatherer) int {
		t.Helper()
		series, err := testutil.GatherAndCount(g, "fastqueue_queue_limit_messages")
		if err != nil {
			t.Fatal(err)
		}
		return series
	}
	if got := count(n.registry()); got != maxQueueSeries+1 {
		t.Errorf("%d queues have series, want %d and the sum of the others", got, maxQueueSeries)
	}
	if got := n.must(t, "queue_messages", "queue=_other", "state=visible"); got != 3 {
		t.Errorf("the others hold %v messages, want 3", got)
	}
	if got := n.must(t, "queue_limit_messages", "queue=_other"); got != 3_000_000 {
		t.Errorf("the others may hold %v messages, want 3,000,000", got)
	}

	some := prometheus.NewRegistry()
	some.MustRegister(n.QueueMetrics(func(queue string) bool { return strings.HasPrefix(queue, "z") }))
	if got := count(some); got != 2 {
		t.Errorf("%d series, want those of z1 and z2", got)
	}
	if got, ok := sample(t, some, "queue_messages", "queue=z2", "state=visible"); !ok || got != 1 {
		t.Errorf("z2 holds %v messages, want 1", got)
	}
}
