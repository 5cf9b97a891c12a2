package fsm

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// A join key proves a join token. The cluster begins with one; admins make further ones and end any of them.

func (s *state) applyPutJoinKey(p *fsmpb.Principal, caller *fsmpb.User, c *fsmpb.PutJoinKey) *fsmpb.Result {
	if err := adminOnly(caller); err != nil {
		return &fsmpb.Result{Error: err}
	}
	if err := logInOnly(p, "create join tokens"); err != nil { // a node that joins gets the keys that sign tokens
		return &fsmpb.Result{Error: err}
	}
	if s.cluster == nil || c.JoinKey.GetId() == "" || len(c.JoinKey.GetKey()) == 0 {
		return refused(CodeInvalid, "A join token needs an id, a key and a cluster.")
	}
	k := proto.CloneOf(c.JoinKey)
	k.CreatedMs = s.now
	i := slices.IndexFunc(s.cluster.JoinKeys, func(o *fsmpb.JoinKey) bool { return o.Id == k.Id })
	switch present := len(s.cluster.JoinKeys); {
	case i >= 0: // the same token again
		k.CreatedMs = s.cluster.JoinKeys[i].CreatedMs
		s.cluster.JoinKeys[i] = k
	case present >= MaxJoinKeys:
		return limitReached("The cluster", present, "join tokens", MaxJoinKeys, "revoke one first")
	default:
		s.cluster.JoinKeys = append(s.cluster.JoinKeys, k)
	}
	s.saveCluster()
	return &fsmpb.Result{Value: &fsmpb.Result_JoinKey{JoinKey: publicJoinKey(k)}}
}

func (s *state) applyRemoveJoinKey(caller *fsmpb.User, c *fsmpb.RemoveJoinKey) *fsmpb.Result {
	if err := adminOnly(caller); err != nil {
		return &fsmpb.Result{Error: err}
	}
	i := slices.IndexFunc(s.cluster.GetJoinKeys(), func(k *fsmpb.JoinKey) bool { return k.Id == c.Id })
	if i < 0 {
		return refused(CodeJoinTokenNotFound, "Join token not found: there is none with this id.")
	}
	s.cluster.JoinKeys = slices.Delete(s.cluster.JoinKeys, i, i+1)
	s.saveCluster()
	return &fsmpb.Result{}
}

func (s *state) saveCluster() { s.batch.Set(store.ClusterKey(), s.encode(s.cluster)) }

// publicJoinKey is what admins may see of a join key: all but the key.
func publicJoinKey(k *fsmpb.JoinKey) *fsmpb.JoinKey {
	return &fsmpb.JoinKey{Id: k.Id, CreatedMs: k.CreatedMs}
}

// JoinKeys returns the join tokens in the order in which they were made, without their keys.
func (v *View) JoinKeys() (keys []*fsmpb.JoinKey) {
	for _, k := range v.Cluster().GetJoinKeys() {
		keys = append(keys, publicJoinKey(k))
	}
	return keys
}
