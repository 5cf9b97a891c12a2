package cluster

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	killSenders  = 32 // through each node that lives
	killInFlight = 32 // commands at least when a leader is killed; otherwise nothing was tried
)

// TestLeadersAreKilledUnderSends kills the leader again and again while sends go through the other nodes. Every one is
// acknowledged, and stored once: none is lost, none is there twice, none is refused because its first try was applied. How
// many kills is said by FASTQUEUE_KILLS, 20 without it:
//
//	FASTQUEUE_KILLS=200 go test ./cluster -run AreKilledUnderSends -v
func TestLeadersAreKilledUnderSends(t *testing.T) {
	t.Parallel()
	kills := 20
	if v, ok := os.LookupEnv("FASTQUEUE_KILLS"); ok {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatalf("FASTQUEUE_KILLS: %v", err)
		}
	}
	logStores(t, func(t *testing.T, logStore string) {
		change := func(c *Config) { c.SnapshotEntries, c.TrailingLogs = 300, 100 } // what is remembered stands in checkpoints, too
		virtual(t, logStore, 3, change, func(c *virtualCluster) {
			c.network.delay = 2 * time.Millisecond
			k := &killing{c: c, stored: map[string]int{}}
			c.propose(0, createQueueCommand("q"))
			for round := range (kills + 1) / 2 { // half of them on each log store
				k.round(round)
			}
			c.t.Logf("%d leaders killed, at the least with %d commands in flight; %d sends acknowledged and stored once; %d tries were repeated, and %d sends answered from remembered results",
				k.kills, k.leastInFlight, len(k.stored), k.repeats, k.remembered)
			if k.remembered < k.kills/10 {
				c.t.Errorf("%d repeated sends were answered from remembered results in %d kills: nothing was tried", k.remembered, k.kills)
			}
		})
	})
}

// killing counts what happened.
type killing struct {
	c                                         *virtualCluster
	stored                                    map[string]int // acknowledged bodies, and how often they were found
	kills, repeats, remembered, leastInFlight int
}

// round kills one leader in the middle of sends and looks at what was stored.
func (k *killing) round(round int) {
	c := k.c
	leader := c.leader()
	var alive []*Node
	for i, n := range c.nodes {
		if i != leader {
			alive = append(alive, n.Node)
		}
	}
	repeats, remembered := countRepeats(alive)
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	s := &senders{t: c.t, acked: map[string]bool{}}
	enough := make(chan struct{})
	for i, n := range alive {
		for sender := range killSenders {
			s.ended.Go(func() { s.send(ctx, n, fmt.Sprintf("%d/%d/%d", round, i, sender), enough) })
		}
	}
	time.Sleep(time.Duration(5+7*round%20) * time.Millisecond) // at another moment of an entry each time
	inFlight := int(s.inFlight.Load())
	c.crash(leader)
	c.leader()
	time.Sleep(10 * time.Millisecond)
	close(enough)
	s.ended.Wait()
	repeatsAfter, rememberedAfter := countRepeats(alive)
	c.restart(leader)
	k.take(s.acked)

	k.kills++
	k.repeats += repeatsAfter - repeats
	k.remembered += rememberedAfter - remembered
	if k.kills == 1 || inFlight < k.leastInFlight {
		k.leastInFlight = inFlight
	}
	if inFlight < killInFlight {
		c.t.Errorf("round %d: %d commands were in flight", round, inFlight)
	}
}

func countRepeats(nodes []*Node) (repeats, remembered int) {
	for _, n := range nodes {
		repeats += int(testutil.ToFloat64(n.config.Metrics.repeats))
		remembered += int(testutil.ToFloat64(n.config.Metrics.repeatsRemembered))
	}
	return repeats, remembered
}

// senders send through nodes that live, so all that they send has to be acknowledged.
type senders struct {
	t        testing.TB
	ended    sync.WaitGroup
	inFlight atomic.Int64

	mu    sync.Mutex
	acked map[string]bool
}

func (s *senders) send(ctx context.Context, n *Node, who string, enough <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-enough:
			return
		default:
		}
		body := fmt.Sprint(who, "/", i)
		s.inFlight.Add(1)
		result, err := n.Propose(ctx, sendCommand("q", body))
		s.inFlight.Add(-1)
		if err != nil || result.Error != nil || result.GetSend().GetMessages()[0].GetError() != nil {
			s.t.Errorf("%s: %v, %v", body, result, err)
			return
		}
		s.mu.Lock()
		s.acked[body] = true
		s.mu.Unlock()
	}
}

// take receives and deletes all messages, and compares them with those that were acknowledged.
func (k *killing) take(acked map[string]bool) {
	c := k.c
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	defer cancel()
	via, found := c.nodes[c.leader()].Node, 0
	var taken []*fsmpb.Receipt
	for {
		command := receiveCommand("q", 10)
		command.GetReceiveMessage().Delete = taken
		result, err := via.Receive(ctx, command, 0)
		if err != nil || result.Error != nil {
			c.t.Fatalf("receive: %v, %v", result, err)
		}
		r := result.GetReceive()
		if len(r.Deliveries) == 0 {
			break
		}
		taken = nil
		for _, d := range r.Deliveries {
			content := &fsmpb.Content{}
			if err := proto.Unmarshal(d.Message.Content, content); err != nil {
				c.t.Fatal(err)
			}
			if !acked[content.Body] {
				c.t.Errorf("%s is stored and was not acknowledged", content.Body)
			}
			if k.stored[content.Body]++; k.stored[content.Body] > 1 {
				c.t.Errorf("%s is stored %d times", content.Body, k.stored[content.Body])
			}
			found++
			taken = append(taken, &fsmpb.Receipt{Queue: r.Queue, Sequence: d.Sequence, Delivery: d.Delivery})
		}
	}
	if found != len(acked) {
		c.t.Errorf("%d sends were acknowledged and %d messages are there", len(acked), found)
	}
}
