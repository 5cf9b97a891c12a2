package cluster

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// forwarded is a request that node 1 forwards to the leader, node 0. Before it the queue "q" has one message, delivered as
// the receipt says, and the queue "other" has one that is ready.
type forwarded struct {
	ask   func(context.Context, *Node, *fsmpb.Receipt) (*fsmpb.Result, error)
	judge func(*virtualCluster, *fsmpb.Result)  // of the answer that the client of node 1 got
	again func(*virtualCluster, *fsmpb.Receipt) // what a client does that got none, through node 2
}

var forwardedRequests = map[string]forwarded{
	"send": {
		ask: func(ctx context.Context, n *Node, _ *fsmpb.Receipt) (*fsmpb.Result, error) {
			return n.Propose(ctx, sendOnceCommand())
		},
		judge: func(c *virtualCluster, r *fsmpb.Result) { c.wantAll("q", "first", "second") },
		again: func(c *virtualCluster, _ *fsmpb.Receipt) {
			c.propose(2, sendOnceCommand())
			c.wantAll("q", "first", "second")
		},
	},
	"receive": {
		ask: func(ctx context.Context, n *Node, _ *fsmpb.Receipt) (*fsmpb.Result, error) {
			return n.Receive(ctx, receiveCommand("other", 1), 0)
		},
		judge: func(c *virtualCluster, r *fsmpb.Result) {
			if got := r.GetReceive().GetDeliveries(); len(got) != 1 || got[0].Count != 1 || got[0].Delivery != 1 {
				c.t.Errorf("received %v, want one message for the first time", got)
			}
		},
		again: func(c *virtualCluster, _ *fsmpb.Receipt) { c.wantAll("other", "waits") }, // when a lease of nobody has ended
	},
	"delete": {
		ask: func(ctx context.Context, n *Node, first *fsmpb.Receipt) (*fsmpb.Result, error) {
			return n.Propose(ctx, deleteCommand(first))
		},
		judge: func(c *virtualCluster, r *fsmpb.Result) {
			if errs := r.GetDelete().GetErrors(); len(errs) != 1 || errs[0].Code != "" {
				c.t.Errorf("deleted: %v", errs)
			}
			c.wantAll("q")
		},
		again: func(c *virtualCluster, first *fsmpb.Receipt) {
			r := c.propose(2, deleteCommand(first))
			if code := r.GetDelete().GetErrors()[0].Code; code != "" && code != fsm.CodeMessageNotFound {
				c.t.Errorf("deleted again: %q", code)
			}
			c.wantAll("q")
		},
	},
	"create queue": {
		ask: func(ctx context.Context, n *Node, _ *fsmpb.Receipt) (*fsmpb.Result, error) {
			return n.Propose(ctx, createQueueCommand("new"))
		},
		judge: func(c *virtualCluster, r *fsmpb.Result) {
			if r.Error != nil {
				c.t.Errorf("created: %v", r.Error)
			}
		},
		again: func(c *virtualCluster, _ *fsmpb.Receipt) {
			if r := c.propose(2, createQueueCommand("new")); r.Error != nil && r.Error.Code != fsm.CodeQueueExists {
				c.t.Errorf("created again: %v", r.Error)
			}
		},
	},
}

// sendOnceCommand is a send that its client may repeat.
func sendOnceCommand() *fsmpb.Command {
	c := sendCommand("q", "second")
	c.GetSendMessage().IdempotencyKey = &fsmpb.IdempotencyKey{Key: "key"}
	return c
}

func deleteCommand(r *fsmpb.Receipt) *fsmpb.Command {
	return &fsmpb.Command{Principal: admin, Op: &fsmpb.Command_DeleteMessage{DeleteMessage: &fsmpb.DeleteMessage{
		Queue: "q", Receipts: []*fsmpb.Receipt{r},
	}}}
}

// wantAll takes all that a queue has when leases have ended.
func (c *virtualCluster) wantAll(queue string, want ...string) {
	c.t.Helper()
	time.Sleep(31 * time.Second)
	if got := c.receive(2, queue, 10, 0); !slices.Equal(got, want) {
		c.t.Errorf("%s has %q, want %q", queue, got, want)
	}
}

// How far a forwarded request gets before somebody dies.
var forwardedSteps = map[string]func(*virtualCluster){
	"not arrived": func(c *virtualCluster) { c.network.hold(address(1), address(0), true) },
	"in the leader's log": func(c *virtualCluster) {
		c.network.hold(address(0), address(2), true)
		c.network.hold(address(0), address(1), true)
	},
	"in all logs, not committed": func(c *virtualCluster) {
		c.network.hold(address(2), address(0), true)
		c.network.hold(address(0), address(1), true)
	},
	"applied, not answered": func(c *virtualCluster) { c.network.hold(address(0), address(1), true) },
}

// arrived waits until the request is as far as it gets.
func (c *virtualCluster) arrived(step string, before uint64) {
	c.t.Helper()
	r := c.nodes[0].replica.Load()
	eventually(c.t, "the request to be "+step, func() bool {
		switch step {
		case "in the leader's log":
			return r.raft.LastIndex() > before
		case "in all logs, not committed":
			return c.nodes[2].replica.Load().raft.LastIndex() > before
		case "applied, not answered":
			return r.fsm.Applied() > before
		}
		return true
	})
}

// The leader dies with a request that another node has forwarded to it: that node has it answered by the next leader, and
// it has one effect.
func TestTheLeaderDiesWithAForwardedRequest(t *testing.T) {
	t.Parallel()
	for what, request := range forwardedRequests {
		for step := range forwardedSteps {
			t.Run(what+"/"+step, func(t *testing.T) {
				logStores(t, func(t *testing.T, logStore string) {
					virtual(t, logStore, 3, nil, func(c *virtualCluster) {
						_, answer := c.forward(request, step)
						c.crash(0)
						c.letPass()
						result := <-answer
						if result == nil {
							c.t.Fatal("the node that forwarded the request has no answer")
						}
						c.restart(0)
						request.judge(c, result)
						c.converge([]int{0, 1, 2})
					})
				})
			})
		}
	}
}

// The node that has forwarded a request dies before it has the answer: its client repeats what it asked through another
// node, and that has one effect.
func TestANodeDiesThatHasForwardedARequest(t *testing.T) {
	t.Parallel()
	for what, request := range forwardedRequests {
		for _, step := range []string{"not arrived", "applied, not answered"} { // what is in between is up to the leader
			t.Run(what+"/"+step, func(t *testing.T) {
				t.Parallel()
				virtual(t, "bolt", 3, nil, func(c *virtualCluster) {
					receipt, answer := c.forward(request, step)
					c.crash(1)
					c.letPass()
					if result := <-answer; result != nil {
						c.t.Errorf("a node that died has answered %v", result)
					}
					c.restart(1)
					request.again(c, receipt)
					c.converge([]int{0, 1, 2})
				})
			})
		}
	}
}

// forward has node 1 forward a request that gets so far, and returns its receipt and where the answer comes: nil if there
// is none.
func (c *virtualCluster) forward(request forwarded, step string) (*fsmpb.Receipt, <-chan *fsmpb.Result) {
	c.t.Helper()
	c.lead(0)
	c.createQueue(1, "q")
	c.createQueue(1, "other")
	c.send(1, "q", "first")
	c.send(1, "other", "waits")
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	c.t.Cleanup(cancel)
	first, err := c.nodes[1].Receive(ctx, receiveCommand("q", 1), 0)
	if err != nil || len(first.GetReceive().Deliveries) != 1 {
		c.t.Fatalf("received %v, %v", first, err)
	}
	d := first.GetReceive().Deliveries[0]
	receipt := &fsmpb.Receipt{Queue: first.GetReceive().Queue, Sequence: d.Sequence, Delivery: d.Delivery}
	time.Sleep(100 * time.Millisecond) // nothing is on its way any more
	before := c.nodes[0].replica.Load().raft.LastIndex()
	forwardedSteps[step](c)
	n, answer := c.nodes[1].Node, make(chan *fsmpb.Result, 1)
	go func() {
		result, err := request.ask(ctx, n, receipt)
		if err != nil {
			result = nil
		}
		answer <- result
	}()
	time.Sleep(time.Millisecond)
	c.arrived(step, before)
	if c.nodes[0].replica.Load().raft.State() != raft.Leader {
		c.t.Fatal("the leader stepped down too early")
	}
	return receipt, answer
}

// letPass ends what forwardedSteps began.
func (c *virtualCluster) letPass() {
	for _, pair := range [][2]int{{0, 1}, {1, 0}, {0, 2}, {2, 0}} {
		c.network.hold(address(pair[0]), address(pair[1]), false)
	}
}
