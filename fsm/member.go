package fsm

import (
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

func (s *state) applyInitCluster(c *fsmpb.InitCluster) *fsmpb.Result {
	if s.cluster != nil {
		return refused(CodeInvalid, "The cluster %s exists already.", s.cluster.Id)
	}
	s.cluster = proto.CloneOf(c.Cluster)
	s.batch.Set(store.ClusterKey(), s.encode(c.Cluster))
	s.batch.Set(store.SigningKey(c.SigningKey.GetId()), s.encode(c.SigningKey))
	s.addUser(c.AdminName, c.AdminPasswordHash, RoleAdmin)
	return s.applyPutMember(&fsmpb.PutMember{Member: c.Member})
}

func (s *state) applyPutMember(c *fsmpb.PutMember) *fsmpb.Result {
	s.batch.Set(store.MemberKey(c.Member.GetId()), s.encode(c.Member))
	return &fsmpb.Result{}
}

func (s *state) applyRemoveMember(c *fsmpb.RemoveMember) *fsmpb.Result {
	s.batch.Delete(store.MemberKey(c.Id))
	s.endSessions(c.Id)
	return &fsmpb.Result{}
}
