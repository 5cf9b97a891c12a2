package cluster

import (
	"slices"

	"github.com/hashicorp/raft"
)

// configuration is who belongs to the cluster, and the log index of the entry that says so. A change that was decided on it
// carries the index, and raft refuses it when another change came between. It is the one that was applied: raft's own
// GetConfiguration does not tell the index (it is always 0), and with 0 raft checks nothing.
type configuration struct {
	servers []raft.Server
	index   uint64
}

func (r *replica) configuration() configuration {
	p := r.fsm.Position()
	return configuration{servers: p.Configuration.Servers, index: p.ConfigurationIndex}
}

// find returns the member with an id.
func (c *configuration) find(id string) (s raft.Server, ok bool) {
	i := slices.IndexFunc(c.servers, func(s raft.Server) bool { return string(s.ID) == id })
	if i < 0 {
		return raft.Server{}, false
	}
	return c.servers[i], true
}

// change waits for a change that was made on this configuration; the next one may be made on its result.
func (c *configuration) change(made raft.IndexFuture) error {
	if err := made.Error(); err != nil {
		return err
	}
	c.index = made.Index()
	return nil
}

// remove takes out a member.
func (c *configuration) remove(r *raft.Raft, id raft.ServerID) error {
	return c.change(r.RemoveServer(id, c.index, configLimit))
}

// addNonvoter lets in a member without a vote.
func (c *configuration) addNonvoter(r *raft.Raft, id string) error {
	return c.change(r.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), c.index, configLimit))
}

// addVoter gives a member a vote.
func (c *configuration) addVoter(r *raft.Raft, id string) error {
	return c.change(r.AddVoter(raft.ServerID(id), raft.ServerAddress(id), c.index, configLimit))
}
