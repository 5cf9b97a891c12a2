package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	askLimit   = 3 * time.Second
	admitLimit = 8 * time.Second
	peersPause = 500 * time.Millisecond
)

// Join makes this node a member of the cluster to which one of the targets (cluster addresses) belongs, and starts it. It
// returns as soon as the node has its place, as a non-voter; WaitVoter waits for the rest.
func (n *Node) Join(ctx context.Context, targets []string, token string) error {
	key, err := transport.JoinKey(token)
	if err != nil {
		return err
	}
	var refusals []string
	for _, target := range targets {
		admitted, err := n.askToJoin(ctx, target, key)
		if err != nil {
			refusals = append(refusals, err.Error())
			continue
		}
		for _, m := range admitted.Members {
			n.heard(m)
		}
		if err := n.becomeMember(admitted.Cluster, admitted.Certificate); err != nil {
			return err
		}
		return n.Start()
	}
	return errors.New(strings.Join(refusals, "; "))
}

func (n *Node) askToJoin(ctx context.Context, target string, key *fsmpb.JoinKey) (*clusterpb.AdmitResult, error) {
	public, err := n.publicKey()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, admitLimit+askLimit)
	defer cancel()
	resp, err := transport.Join(ctx, target, key.Key, &clusterpb.JoinRequest{Member: n.self(), PublicKey: public}, n.config.Dial)
	if err != nil {
		return nil, err
	}
	if resp.Admit == nil {
		return nil, errors.New("the member there belongs to no cluster yet; start one with \"fastqueue serve\" first")
	}
	return resp.Admit, nil
}

// CheckCluster asks the targets which cluster they belong to, and fails if one answers that it is not this node's. A
// target that does not answer proves nothing.
func (n *Node) CheckCluster(ctx context.Context, targets []string, token string) error {
	key, err := transport.JoinKey(token)
	if err != nil {
		return err
	}
	for _, target := range targets {
		id, err := n.askCluster(ctx, target, key)
		if err == nil && id != "" && id != n.clusterID() {
			return fmt.Errorf("%s belongs to the cluster %s, and %s is a member of another one: choose an empty --data-dir", n.config.DataDir, n.clusterID(), target)
		}
	}
	return nil
}

func (n *Node) askCluster(ctx context.Context, target string, key *fsmpb.JoinKey) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	resp, err := transport.Join(ctx, target, key.Key, &clusterpb.JoinRequest{AskOnly: true}, n.config.Dial)
	if err != nil {
		return "", err
	}
	return resp.ClusterId, nil
}

// JoinOrFound is what a node with an empty directory does that was given the addresses of all nodes. If one of them
// belongs to a cluster, this node joins it. If all say that they belong to none, the one whose address sorts first founds
// one. Otherwise it waits: a node that lost its disk must never found a second cluster beside the first.
func (n *Node) JoinOrFound(ctx context.Context, token string, founding func() (Founding, error)) error {
	key, err := transport.JoinKey(token)
	if err != nil {
		return err
	}
	if !slices.Contains(n.config.Peers, n.config.AdvertiseCluster) {
		return fmt.Errorf("--peers must name this node too, as others reach it: %s is not among %s", n.config.AdvertiseCluster, strings.Join(n.config.Peers, ","))
	}
	n.mu.Lock()
	n.joinKeys = []*fsmpb.JoinKey{key}
	n.mu.Unlock()
	for {
		member, refusals := n.askPeers(ctx, key)
		switch {
		case member != "":
			err := n.Join(ctx, []string{member}, token)
			if err == nil {
				return nil
			}
			n.setWaiting("not admitted yet: " + err.Error())
		case len(refusals) > 0:
			n.setWaiting("waiting for all peers to answer: " + strings.Join(refusals, "; "))
		case slices.Min(n.config.Peers) == n.config.AdvertiseCluster:
			f, err := founding()
			if err != nil {
				return err
			}
			return n.Found(f)
		default:
			n.setWaiting("waiting for " + slices.Min(n.config.Peers) + " to found the cluster")
		}
		select {
		case <-time.After(peersPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// askPeers returns a peer that belongs to a cluster, and what is wrong with those that gave no good answer.
func (n *Node) askPeers(ctx context.Context, key *fsmpb.JoinKey) (member string, refusals []string) {
	for _, peer := range n.config.Peers {
		if peer == n.config.AdvertiseCluster {
			continue
		}
		id, err := n.askCluster(ctx, peer, key)
		switch {
		case err != nil:
			refusals = append(refusals, err.Error())
		case id != "":
			member = peer
		}
	}
	return member, refusals
}

// WaitVoter returns when this node has caught up and votes.
func (n *Node) WaitVoter(ctx context.Context) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		if r := n.replica.Load(); r != nil && slices.Contains(r.voters(), r.id) && r.fsm.Keys() != nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// admitRemote answers a node that has proved that it knows a join token.
func (n *Node) admitRemote(ctx context.Context, remote net.Addr, req *clusterpb.JoinRequest) *clusterpb.JoinResponse {
	id := n.clusterID()
	if req.AskOnly {
		return &clusterpb.JoinResponse{ClusterId: id}
	}
	if id == "" {
		return &clusterpb.JoinResponse{Refusal: "this node belongs to no cluster yet: " + n.whyWaiting()}
	}
	if reason := n.loopbackMismatch(remote, req.Member); reason != "" {
		return &clusterpb.JoinResponse{Refusal: reason}
	}
	ctx, cancel := context.WithTimeout(ctx, admitLimit)
	defer cancel()
	for {
		resp, err := n.request(ctx, &clusterpb.Request{Op: &clusterpb.Request_Admit{
			Admit: &clusterpb.Admit{Member: req.Member, PublicKey: req.PublicKey},
		}})
		if err == nil {
			return &clusterpb.JoinResponse{ClusterId: id, Admit: resp.GetAdmit()}
		}
		if err.Code == codeRefused || !n.pause(ctx) {
			return &clusterpb.JoinResponse{Refusal: n.explain(err).Detail}
		}
	}
}

// loopbackMismatch refuses members that could not reach each other.
func (n *Node) loopbackMismatch(remote net.Addr, joiner *fsmpb.Member) string {
	own := isLoopback(n.config.AdvertiseCluster)
	if own && !isLoopback(remote.String()) {
		return "this member advertises " + n.config.AdvertiseCluster + ", which other machines can't reach: restart it with --cluster-addr and --advertise-cluster set to an address of its network"
	}
	if !own && isLoopback(joiner.GetClusterAddress()) {
		return "the joining node advertises " + joiner.GetClusterAddress() + ", which this member can't reach: set its --cluster-addr and --advertise-cluster to an address of its network"
	}
	return ""
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
