package nodes

import (
	"context"
	"fmt"
)

// WaitLeader waits until a running node is the leader in the eyes of a majority of all nodes, and returns it.
func (c *Cluster) WaitLeader(ctx context.Context) (leader *Node, err error) {
	err = Until(ctx, Patience, "leader", func() error {
		votes := map[string]int{}
		for _, n := range c.Nodes {
			if v, err := n.View(ctx); err == nil {
				votes[v.Leader]++
			}
		}
		for _, n := range c.Nodes {
			if n.Running() && votes[n.Name] > len(c.Nodes)/2 {
				leader = n
				return nil
			}
		}
		return fmt.Errorf("the running nodes name %v", votes)
	})
	return leader, err
}

// WaitVoters waits until every running node counts n members, all of them voters.
func (c *Cluster) WaitVoters(ctx context.Context, n int) error {
	return Until(ctx, Patience, fmt.Sprintf("%d voters", n), func() error {
		for _, node := range c.Nodes {
			if !node.Running() {
				continue
			}
			v, err := node.View(ctx)
			if err != nil {
				return err
			}
			voters := 0
			for _, m := range v.Members {
				if m.Voter {
					voters++
				}
			}
			if voters != n || len(v.Members) != n {
				return fmt.Errorf("%s counts %d voters of %d members", node.Name, voters, len(v.Members))
			}
		}
		return nil
	})
}
