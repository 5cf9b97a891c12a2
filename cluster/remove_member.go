package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// removeMember takes a member out of the configuration, with all incarnations of its name. It runs on the leader. A leader
// that is to go itself hands over first, and the asker finds the next one. Two removals that looked at the same members
// could cost the majority together, so each looks when the one before is done.
func (n *Node) removeMember(l *leadership, name string) *clusterpb.Response {
	l.changing.Lock()
	defer l.changing.Unlock()
	ctx, cancel := context.WithTimeout(l.r.ctx, handoverLimit)
	defer cancel()
	c := l.r.configuration()
	leaving, staying := split(c.servers, name)
	if len(leaving) == 0 {
		return failed(errNoMember(name, c.servers))
	}
	if reason := risk(name, leaving, staying, n.answering(ctx, l.r, staying)); reason != "" {
		return failed(&Error{Code: CodeMajorityAtRisk, Detail: reason})
	}
	if slices.ContainsFunc(leaving, func(s raft.Server) bool { return string(s.ID) == l.r.id }) {
		target, _ := n.fittest(ctx, l.r)
		if target == "" {
			return failed(&Error{Code: CodeMajorityAtRisk, Detail: fmt.Sprintf("%s leads, and no other voter answers to take over. Try again.", name)})
		}
		if err := n.handOver(ctx, l, target); err != nil {
			return failed(err)
		}
		return failed(errNotLeader(name + " has handed over the leadership before it is removed"))
	}
	err := removeAll(leaving, func(id raft.ServerID) error {
		n.log.Info("removing a member", "id", id)
		n.config.step("remove")
		return c.remove(l.r.raft, id)
	})
	if err != nil {
		return failed(err)
	}
	n.config.step("removed")
	return &clusterpb.Response{Result: &clusterpb.Response_RemoveMember{RemoveMember: &clusterpb.RemoveMemberResult{}}}
}

// removeAll removes the incarnations of a member one after the other. Once one is gone nobody may say that nothing was done.
func removeAll(leaving []raft.Server, remove func(raft.ServerID) error) *Error {
	for i, s := range leaving {
		err := remove(s.ID)
		switch {
		case err != nil && i == 0:
			return translate(err)
		case err != nil:
			return errUnknown(fmt.Sprintf("%s was removed and %s may not be", leaving[0].ID, s.ID))
		}
	}
	return nil
}

// split parts the members with a name from the others.
func split(servers []raft.Server, name string) (leaving, staying []raft.Server) {
	for _, s := range servers {
		if nameOf(string(s.ID)) == name {
			leaving = append(leaving, s)
		} else {
			staying = append(staying, s)
		}
	}
	return leaving, staying
}

// answering asks members now, all at once, and returns the ids of those that answer, this one included. One that is about
// to stop does not count.
func (n *Node) answering(ctx context.Context, r *replica, servers []raft.Server) map[string]bool {
	up := map[string]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, s := range servers {
		id := string(s.ID)
		all.Go(func() {
			if id == r.id && n.Draining() {
				return
			}
			if id != r.id {
				if s := n.poll(ctx, id); s == nil || s.Draining {
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			up[id] = true
		})
	}
	all.Wait()
	return up
}

// risk says why a member can't be removed: the voters that stay would not be a live majority. Empty if it can. A member
// without a vote may always go.
func risk(name string, leaving, staying []raft.Server, up map[string]bool) string {
	isVoter := func(s raft.Server) bool { return s.Suffrage == raft.Voter }
	if !slices.ContainsFunc(leaving, isVoter) {
		return ""
	}
	var voters, down []string
	for _, s := range staying {
		if !isVoter(s) {
			continue
		}
		voters = append(voters, nameOf(string(s.ID)))
		if !up[string(s.ID)] {
			down = append(down, nameOf(string(s.ID)))
		}
	}
	if len(voters) == 0 {
		return fmt.Sprintf("%s is the only voter, and a cluster needs one. Add another node first, or stop this one to end the cluster.", name)
	}
	needed := len(voters)/2 + 1
	if len(voters)-len(down) >= needed {
		return ""
	}
	return fmt.Sprintf("Without %s the voters would be %s, of which %s %s down or about to stop; %d must be up. Start %s first.",
		name, enumerate(voters), enumerate(down), isOrAre(len(down)), needed, enumerate(down))
}

func errNoMember(name string, servers []raft.Server) *Error {
	var names []string
	for _, s := range servers {
		names = append(names, nameOf(string(s.ID)))
	}
	slices.Sort(names)
	return &Error{Code: CodeMemberNotFound, Detail: fmt.Sprintf("There is no member %q; the members are %s.", name, enumerate(slices.Compact(names)))}
}
