package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// virtualCluster is a testCluster whose nodes are connected in memory.
type virtualCluster struct {
	*testCluster
	network *memoryNetwork
}

// virtual runs a test on a cluster in virtual time: real nodes, logs and states on the disk, and a clock that stands
// still while anybody computes and moves on at once when all wait.
func virtual(t *testing.T, logStore string, nodes int, change func(*Config), test func(*virtualCluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(onMemoryNetwork(t, logStore, nodes, func(c *Config) {
			c.unbuffered = true
			c.Heartbeat, c.LeaderLease = 0, 0 // as in production: here no machine is slow
			if change != nil {
				change(c)
			}
		}))
	})
}

// onMemoryNetwork starts such a cluster on the clock that the test has.
func onMemoryNetwork(t *testing.T, logStore string, nodes int, change func(*Config)) *virtualCluster {
	t.Helper()
	n := newMemoryNetwork()
	c := &testCluster{t: t, logStore: logStore, change: func(c *Config) {
		node, resolve := c.AdvertiseCluster, c.Dial
		c.Listen = func(string, string) (net.Listener, error) { return n.listen(node) }
		c.Dial = func(ctx context.Context, _, to string) (net.Conn, error) { return resolve(ctx, node, to) }
		change(c)
	}, connect: n.dial}
	c.startAll(nodes)
	return &virtualCluster{c, n}
}

// crash takes a node off the network and stops it: nobody hears of it again, whatever it was doing.
func (c *virtualCluster) crash(i int) {
	c.t.Helper()
	c.network.isolate(address(i))
	c.stop(i)
}

// restart starts a node that crashed, on the same directory.
func (c *virtualCluster) restart(i int) {
	c.t.Helper()
	c.network.heal(address(i))
	c.start(i)
}

// ids are the members of a configuration and whether they vote, sorted.
func ids(servers []raft.Server) (all []string) {
	for _, s := range servers {
		all = append(all, fmt.Sprint(s.ID, " ", s.Suffrage))
	}
	slices.Sort(all)
	return all
}

// lead makes sure that node i leads.
func (c *virtualCluster) lead(i int) {
	c.t.Helper()
	if leader := c.leader(); leader != i {
		ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
		defer cancel()
		if _, err := c.nodes[leader].TransferLeadership(ctx, name(i)); err != nil {
			c.t.Fatal(err)
		}
		c.leader()
	}
}

// converge waits until all members have one configuration, of voters only, with one entry in the table for each.
func (c *virtualCluster) converge(want []int) {
	c.t.Helper()
	var voters, recorded []string
	for _, i := range want {
		voters = append(voters, c.nodes[i].ID()+" Voter")
		recorded = append(recorded, c.nodes[i].ID())
	}
	slices.Sort(voters)
	slices.Sort(recorded)
	state := func() string {
		for _, i := range want {
			r := c.nodes[i].replica.Load()
			if got := ids(r.configuration().servers); !slices.Equal(got, voters) {
				return fmt.Sprintf("%s has the configuration %v, want %v", name(i), got, voters)
			}
			v := r.fsm.View()
			defer v.Close()
			var got []string
			for _, m := range v.Members() {
				got = append(got, m.Id)
			}
			if !slices.Equal(got, recorded) {
				return fmt.Sprintf("%s has the members %v, want %v", name(i), got, recorded)
			}
		}
		return ""
	}
	for began := time.Now(); state() != ""; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > testDeadline {
			c.t.Fatal(state())
		}
	}
}
