package cluster

import "github.com/hashicorp/raft"

// RegistrationClosed tells whether only admins may make users here: this node was started so, or another member has said
// that it was. The strictest member wins, since users belong to the whole cluster: a node that is added without the flag
// does not open it. A node that has heard of no other member yet does not know, and is closed.
func (n *Node) RegistrationClosed() bool {
	if n.config.RegistrationClosed {
		return true
	}
	r := n.replica.Load()
	if r == nil {
		return true
	}
	servers := r.servers()
	n.mu.Lock()
	defer n.mu.Unlock()
	return closedByOthers(r.id, servers, n.statuses)
}

func closedByOthers(self string, servers []raft.Server, statuses map[string]memberStatus) bool {
	others, heard := 0, 0
	for _, s := range servers {
		if string(s.ID) == self {
			continue
		}
		others++
		if status, ok := statuses[string(s.ID)]; ok {
			heard++
			if status.RegistrationClosed {
				return true
			}
		}
	}
	return others > 0 && heard == 0
}
