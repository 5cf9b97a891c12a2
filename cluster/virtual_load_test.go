package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// load sends through one node, one message after the other.
type load struct {
	c       *virtualCluster
	stop    context.CancelFunc
	sending chan bool // holds a token while a message is sent: a lock would stop the bubble's clock
	ended   chan bool
	acked   []string
	sent    atomic.Int64 // len(acked)
}

func (c *virtualCluster) startLoad(via int) *load {
	c.t.Helper()
	c.propose(via, &fsmpb.Command{Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
		Name: "load", Settings: &fsmpb.QueueSettings{MaxLength: 1_000_000, VisibilityTimeoutS: 43_200},
	}}})
	ctx, stop := context.WithCancel(context.Background())
	l, n := &load{c: c, stop: stop, ended: make(chan bool), sending: make(chan bool, 1)}, c.nodes[via].Node
	c.t.Cleanup(func() {
		stop()
		<-l.ended
	})
	go func() {
		defer close(l.ended)
		for i := 0; ctx.Err() == nil; i++ {
			body := fmt.Sprint(i)
			l.sending <- true
			if _, err := n.Propose(ctx, sendCommand("load", body)); err == nil {
				l.acked = append(l.acked, body)
				l.sent.Store(int64(len(l.acked)))
			} else if ctx.Err() == nil {
				c.t.Errorf("a send through a node that lives: %v", err)
			}
			<-l.sending
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return l
}

// judge ends the load and takes all messages: each is there once, in order, and none that was acknowledged is missing.
func (l *load) judge() {
	l.c.t.Helper()
	eventually(l.c.t, "enough to judge", func() bool { return l.sent.Load() >= 20 })
	l.stop()
	<-l.ended
	var got []string
	for bodies := l.c.receive(1, "load", 10, 0); len(bodies) > 0; bodies = l.c.receive(1, "load", 10, 0) {
		got = append(got, bodies...)
	}
	// The last one may have been in the middle when the load ended.
	if len(got) > len(l.acked)+1 || !slices.Equal(got[:min(len(got), len(l.acked))], l.acked) {
		l.c.t.Errorf("%d messages were acknowledged, %d are there: %q and %q", len(l.acked), len(got), l.acked, got)
	}
}
