package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// memberChange is a change of the members of a cluster, in which node 0 leads.
type memberChange struct {
	nodes int      // at the start
	steps []string // of Config.step, in their order
	begin func(context.Context, *virtualCluster) <-chan error
	want  []int // who belongs to the cluster at the end
}

var memberChanges = map[string]memberChange{
	"a node joins": {
		nodes: 3, want: []int{0, 1, 2, 3},
		steps: []string{"admit", "admitted", "admission recorded", "promote", "promoted"},
		begin: func(ctx context.Context, c *virtualCluster) <-chan error {
			c.nodes = append(c.nodes, &testNode{dir: c.nodes[0].dir + "-joiner"})
			return c.joining(ctx, 3)
		},
	},
	"a wiped node comes back": {
		nodes: 3, want: []int{0, 1, 2},
		steps: []string{"admit", "admitted", "admission recorded", "replace", "replaced", "forget", "recorded", "promote", "promoted"},
		begin: func(ctx context.Context, c *virtualCluster) <-chan error {
			c.stop(2)
			c.nodes[2].dir += "-new"
			return c.joining(ctx, 2)
		},
	},
	"a member is removed": {
		nodes: 4, want: []int{0, 1, 2},
		steps: []string{"remove", "removed", "forget", "recorded"},
		begin: func(ctx context.Context, c *virtualCluster) <-chan error {
			via, done := c.nodes[1].Node, make(chan error, 1)
			go func() {
				err := via.RemoveMember(ctx, name(3))
				for e := (*Error)(nil); errors.As(err, &e) && e.Code != CodeMemberNotFound && ctx.Err() == nil; {
					time.Sleep(100 * time.Millisecond)
					err = via.RemoveMember(ctx, name(3))
				}
				if e := (*Error)(nil); errors.As(err, &e) && e.Code == CodeMemberNotFound {
					err = nil // an earlier try has removed it
				}
				done <- err
			}()
			return done
		},
	},
}

// joining has node i join in the background.
func (c *virtualCluster) joining(ctx context.Context, i int) <-chan error {
	n, done := c.open(i), make(chan error, 1)
	go func() { done <- c.join(ctx, n) }()
	return done
}

// crashPoint is where the leader dies, once, and how.
type crashPoint struct {
	c       *virtualCluster
	load    *load
	step    string
	how     func(p *crashPoint)
	once    sync.Once
	reached chan bool
}

func (p *crashPoint) at(step string) {
	if p.c != nil && step == p.step {
		p.once.Do(func() {
			p.how(p)
			close(p.reached)
		})
	}
}

// dies: nothing of what the leader has in hand is done.
func dies(p *crashPoint) {
	p.c.network.isolate(address(0))
	if err := p.c.nodes[0].replica.Load().raft.Shutdown().Error(); err != nil {
		p.c.t.Errorf("shut down: %v", err)
	}
}

// diesUnheard: what follows is in its own log only.
func diesUnheard(p *crashPoint) { p.deafen(1, 2, 3) }

// diesUnanswered: what follows is in all logs, but the leader does not hear that.
func diesUnanswered(p *crashPoint) { p.deafen() }

// diesHeardByOne: what follows is in the log of the last node, too. If that is the one which is removed, nobody can lead
// until the leader is back: the others are behind it, and raft lets nobody be a candidate without a vote of its own.
func diesHeardByOne(p *crashPoint) { p.deafen(1, 2) }

// deafen lets the leader hear nothing any more, and some others nothing from it. The load waits meanwhile: of entries that
// are on their way raft would wait for the answer before it sends the next.
func (p *crashPoint) deafen(others ...int) {
	p.load.sending <- true
	time.Sleep(time.Millisecond)
	for i := 1; i < len(p.c.nodes); i++ {
		p.c.network.hold(address(i), address(0), true)
		p.c.network.hold(address(0), address(i), slices.Contains(others, i))
	}
}

// appended waits for what the leader was about to append when it was deafened, in its log and in those of who hears it.
func (p *crashPoint) appended() {
	leader := p.c.nodes[0].replica.Load()
	before := ids(leader.configuration().servers)
	for i, n := range p.c.nodes {
		if n.Node == nil || n.replica.Load() == nil || p.c.network.isHeld(address(0), address(i)) {
			continue
		}
		eventually(p.c.t, "the entry in the log of "+name(i), func() bool { return !slices.Equal(ids(n.replica.Load().servers()), before) })
	}
	<-p.load.sending
}

// undeafen lets everything pass.
func (p *crashPoint) undeafen() {
	for i := 1; i < len(p.c.nodes); i++ {
		p.c.network.hold(address(i), address(0), false)
		p.c.network.hold(address(0), address(i), false)
	}
}

// The leader dies at every step of a change of the members. The others, or it itself when it is back, bring the change to
// its end: one configuration and one table of members on all, and no acknowledged message is lost or there twice.
func TestTheLeaderDiesDuringAChangeOfMembers(t *testing.T) {
	t.Parallel()
	for what, change := range memberChanges {
		for i, step := range change.steps {
			// What the state holds does not depend on the log; what raft has to take back does.
			t.Run(what+"/"+step, func(t *testing.T) {
				t.Parallel()
				change.play(t, []string{"bolt", "wal"}[i%2], step, dies)
			})
			if !slices.Contains([]string{"admit", "replace", "promote", "remove"}, step) {
				continue // no entry of raft's follows
			}
			t.Run(what+"/"+step+" unheard", func(t *testing.T) { // and taken back
				logStores(t, func(t *testing.T, logStore string) { change.play(t, logStore, step, diesUnheard) })
			})
			for how, die := range map[string]func(*crashPoint){"heard by one": diesHeardByOne, "unanswered": diesUnanswered} {
				t.Run(what+"/"+step+" "+how, func(t *testing.T) {
					t.Parallel()
					change.play(t, []string{"wal", "bolt"}[i%2], step, die)
				})
			}
		}
	}
}

// play has the leader die in the middle of the change.
func (change memberChange) play(t *testing.T, logStore, step string, how func(*crashPoint)) {
	p := &crashPoint{step: step, how: how}
	virtual(t, logStore, change.nodes, func(c *Config) { c.step = p.at }, func(c *virtualCluster) {
		c.lead(0)
		p.load = c.startLoad(1)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		p.c, p.reached = c, make(chan bool)
		made := change.begin(ctx, c)
		select {
		case <-p.reached:
		case <-ctx.Done():
			c.t.Fatalf("the leader did not get to %q", step)
		}
		if c.nodes[0].replica.Load().raft.State() != raft.Shutdown {
			p.appended()
		}
		c.crash(0)
		time.Sleep(3 * time.Second) // the others go on, if they are a majority
		p.undeafen()
		c.restart(0)
		if err := <-made; err != nil {
			c.t.Fatalf("the change was not made: %v", err)
		}
		c.converge(change.want)
		p.load.judge()
	})
}

// A node dies while it is let in. When it comes back, with what it had on its disk, it becomes a member: as the one that was
// let in if it knows that, otherwise as another one in the place of that.
func TestAJoinerDiesWhileItIsLetIn(t *testing.T) {
	t.Parallel()
	for i, step := range memberChanges["a node joins"].steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			p := &crashPoint{step: step, how: func(p *crashPoint) { p.c.network.isolate(address(3)) }}
			virtual(t, []string{"bolt", "wal"}[i%2], 3, func(c *Config) { c.step = p.at }, func(c *virtualCluster) {
				p.load = c.startLoad(1)
				p.c, p.reached = c, make(chan bool)
				joining, end := context.WithCancel(context.Background())
				made := memberChanges["a node joins"].begin(joining, c)
				<-p.reached
				time.Sleep(time.Second)
				end()
				<-made
				c.crash(3)
				c.restart(3)
				c.converge([]int{0, 1, 2, 3})
				p.load.judge()
			})
		})
	}
}
