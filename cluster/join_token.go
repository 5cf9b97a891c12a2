package cluster

import (
	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// NewJoinToken makes a join token, which only its owner keeps, and the key that the cluster keeps in its place.
func NewJoinToken() (token string, key *fsmpb.JoinKey, err error) {
	token = transport.NewJoinToken()
	key, err = transport.JoinKey(token)
	return token, key, err
}
