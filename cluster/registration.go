package cluster

import (
	"context"

	"github.com/hashicorp/raft"
)

// RegistrationClosed tells whether only admins may make users here: this node was started so, or another member has said
// that it was. The strictest member wins, since users belong to the whole cluster: a node that is added without the flag
// does not open it. A node that has heard of no other member yet asks them, and is closed while none answers.
func (n *Node) RegistrationClosed(ctx context.Context) bool {
	if n.config.RegistrationClosed {
		return true
	}
	r := n.replica.Load()
	if r == nil {
		return true
	}
	closed, known := n.closedByOthers(r)
	if !known {
		n.pollOnce(ctx)
		closed, known = n.closedByOthers(r)
	}
	return closed || !known
}

func (n *Node) closedByOthers(r *replica) (closed, known bool) {
	servers := r.servers()
	n.mu.Lock()
	defer n.mu.Unlock()
	return strictest(r.id, servers, n.statuses)
}

// strictest is what the other members say; known is false when there are some and none has said anything.
func strictest(self string, servers []raft.Server, statuses map[string]memberStatus) (closed, known bool) {
	others, heard := 0, 0
	for _, s := range servers {
		if string(s.ID) == self {
			continue
		}
		others++
		if status, ok := statuses[string(s.ID)]; ok {
			heard++
			if status.RegistrationClosed {
				return true, true
			}
		}
	}
	return false, others == 0 || heard > 0
}
