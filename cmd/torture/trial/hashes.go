package trial

import (
	"context"
	"errors"
	"fmt"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// checkHashes compares the states of the nodes, where they stand and at the last multiples of 1,000 entries (I6).
func (r *round) checkHashes(ctx context.Context) {
	var views []client.Cluster
	err := nodes.Until(ctx, nodes.Patience, "all nodes have applied the same", func() error {
		views = nil
		for _, n := range r.cluster.Nodes {
			v, err := n.View(ctx)
			if err != nil {
				return err
			}
			views = append(views, v)
		}
		if !sameEnd(views) {
			return errors.New("they stand at different entries")
		}
		return nil
	})
	if err != nil {
		r.result.weak("states were not compared: %v", err)
	}
	for _, difference := range differences(views) {
		r.result.violation("I6 replicas differ: %s", difference)
	}
}

func sameEnd(views []client.Cluster) bool {
	var index uint64
	for i, v := range views {
		last := len(v.StateHashes) - 1
		if last < 0 || i > 0 && v.StateHashes[last].Index != index {
			return false
		}
		index = v.StateHashes[last].Index
	}
	return true
}

// differences names the entries at which two nodes have different states.
func differences(views []client.Cluster) (all []string) {
	type seen struct{ node, hash string }
	at := map[uint64]seen{}
	for _, v := range views {
		for _, h := range v.StateHashes {
			first, known := at[h.Index]
			switch {
			case !known:
				at[h.Index] = seen{v.Node, h.Hash}
			case first.hash != h.Hash:
				all = append(all, fmt.Sprintf("at entry %d the hash of %s is %s, of %s it is %s", h.Index, first.node, first.hash, v.Node, h.Hash))
			}
		}
	}
	return all
}
