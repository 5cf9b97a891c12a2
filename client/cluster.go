package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// operateWait is how long a node may take to carry out a change of members or leadership; an answer that comes later than
// the client waits would be an unknown outcome.
const operateWait = 20 * time.Second

// Cluster is one node's view of the cluster.
type Cluster struct {
	ClusterID string   `json:"cluster_id"`
	Node      string   `json:"node"`    // who answers
	Leader    string   `json:"leader"`  // the leader's node name; empty when this node knows of none
	Term      uint64   `json:"term"`    // of the leader's election
	AgeMs     int64    `json:"age_ms"`  // how long ago the answering node last heard of its leader
	Summary   string   `json:"summary"` // the state of the cluster in a sentence or two, for people
	Members   []Member `json:"members"`

	// StateHashes are of the answering node's state: at the last multiples of 1,000 of the log, and where it stands.
	StateHashes []StateHash `json:"state_hashes"`
}

// StateHash is the running hash of what the log entries before an index made. Two nodes that name the same index and
// another hash have different states.
type StateHash struct {
	Index uint64 `json:"index"`
	Hash  string `json:"hash"`
}

// Member is one node of the cluster, as the answering node knows it.
type Member struct {
	Name               string    `json:"name"`
	ID                 string    `json:"id"` // the name and the incarnation of its data directory
	Voter              bool      `json:"voter"`
	Leader             bool      `json:"leader"`
	HTTP               string    `json:"http"`    // address of its API
	Cluster            string    `json:"cluster"` // address of its cluster port
	Lag                uint64    `json:"lag"`     // log entries that it has not applied
	Version            string    `json:"version"`
	LastContactMs      int64     `json:"last_contact_ms"` // how long ago the answering node heard of it; -1: never
	Up                 bool      `json:"up"`
	LagSeconds         float64   `json:"lag_seconds"` // how long ago the newest entry was the one that it has applied
	AppliedIndex       uint64    `json:"applied_index"`
	DiskFree           uint64    `json:"disk_free"` // bytes
	DiskLow            bool      `json:"disk_low"`  // fewer bytes are free than it should keep in reserve
	ClockDifferenceMs  int64     `json:"clock_difference_ms"`
	CertificateExpires time.Time `json:"certificate_expires,omitzero"` // zero when the answering node never heard of it
	Draining           bool      `json:"draining"`                     // about to stop
}

// Cluster returns the view of the node that answers, which may be old. It needs no leader.
func (c *Client) Cluster(ctx context.Context) (Cluster, error) {
	var v Cluster
	err := c.do(ctx, call{method: http.MethodGet, path: "/cluster", out: &v, repeatable: true})
	return v, err
}

// RemoveMember takes a member out of the cluster for good. It is refused with status 409 when it would cost the majority.
func (c *Client) RemoveMember(ctx context.Context, name string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: "/cluster/members/" + url.PathEscape(name), wait: operateWait})
}

// TransferLeadership hands the leadership to a member, or to the fittest one if the name is empty, and returns who leads.
// Only with a name is it tried again when its outcome is unknown: without one the leadership would move a second time.
func (c *Client) TransferLeadership(ctx context.Context, name string) (leader string, err error) {
	in := struct {
		Name string `json:"name,omitempty"`
	}{name}
	var out struct {
		Leader string `json:"leader"`
	}
	err = c.do(ctx, call{method: http.MethodPost, path: "/cluster/leader", in: in, out: &out, wait: operateWait, repeatable: name != ""})
	return out.Leader, err
}

// JoinToken is a secret with which nodes join. Several may be valid at a time.
type JoinToken struct {
	ID      string     `json:"id"`
	Token   string     `json:"token,omitempty"` // only in the answer to CreateJoinToken: the cluster does not keep it
	Created *time.Time `json:"created"`         // nil: the cluster began with it
}

// CreateJoinToken makes a further join token.
func (c *Client) CreateJoinToken(ctx context.Context) (JoinToken, error) {
	var t JoinToken
	err := c.do(ctx, call{method: http.MethodPost, path: "/cluster/join-tokens", out: &t})
	return t, err
}

// JoinTokens lists the valid join tokens, without the secrets.
func (c *Client) JoinTokens(ctx context.Context) ([]JoinToken, error) {
	var list struct {
		JoinTokens []JoinToken `json:"join_tokens"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/cluster/join-tokens", out: &list, repeatable: true})
	return list.JoinTokens, err
}

// RevokeJoinToken ends a join token. Members stay members; nobody joins with it any more.
func (c *Client) RevokeJoinToken(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: "/cluster/join-tokens/" + url.PathEscape(id)})
}
