package client

import (
	"context"
	"net/http"
	"net/url"
)

// Queue is a queue as the server shows it.
type Queue struct {
	Name              string `json:"name"`
	MessageCount      int64  `json:"message_count"`      // every message not yet deleted
	MaxLength         int64  `json:"max_length"`         // sends beyond it are refused
	VisibilityTimeout int64  `json:"visibility_timeout"` // seconds
}

// QueueSettings are what a queue is made with. Zero values leave the choice to the server.
type QueueSettings struct {
	MaxLength         int64 `json:"max_length,omitzero"`         // messages, 1 to 100,000,000
	VisibilityTimeout int64 `json:"visibility_timeout,omitzero"` // seconds, at most 43,200
}

// CreateQueue makes a queue. An existing name is refused with status 409.
func (c *Client) CreateQueue(ctx context.Context, name string, s QueueSettings) (Queue, error) {
	in := struct {
		Name string `json:"name"`
		QueueSettings
	}{name, s}
	var q Queue
	err := c.do(ctx, call{method: http.MethodPost, path: "/queues", in: in, out: &q})
	return q, err
}

// Queues lists all queues.
func (c *Client) Queues(ctx context.Context) ([]Queue, error) {
	var list struct {
		Queues []Queue `json:"queues"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/queues", out: &list, repeatable: true})
	return list.Queues, err
}

// DeleteQueue removes a queue with its messages. A missing one is refused with status 404.
func (c *Client) DeleteQueue(ctx context.Context, name string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: "/queues/" + url.PathEscape(name)})
}

// Cluster is one node's view of the cluster.
type Cluster struct {
	ClusterID string   `json:"cluster_id"`
	Leader    string   `json:"leader"` // the leader's node name; empty when this node knows of none
	Members   []Member `json:"members"`
}

// Member is one node of the cluster.
type Member struct {
	Name    string `json:"name"`
	Voter   bool   `json:"voter"`
	HTTP    string `json:"http"`    // address of its API
	Cluster string `json:"cluster"` // address of its cluster port
}

// Cluster returns the view of the node that answers, which may be old.
func (c *Client) Cluster(ctx context.Context) (Cluster, error) {
	var v Cluster
	err := c.do(ctx, call{method: http.MethodGet, path: "/cluster", out: &v, repeatable: true})
	return v, err
}
