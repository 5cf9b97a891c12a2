package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Queue is a queue as the server shows it.
type Queue struct {
	Name              string `json:"name"`
	MessageCount      int64  `json:"message_count"`      // every message not yet deleted
	MaxLength         int64  `json:"max_length"`         // sends beyond it are refused
	VisibilityTimeout int64  `json:"visibility_timeout"` // seconds
}

// QueueDetails says more about one queue. Ready, Leased and Delayed make up MessageCount.
type QueueDetails struct {
	Queue
	Ready            int64     `json:"ready"`
	Leased           int64     `json:"leased"`
	Delayed          int64     `json:"delayed"`
	OldestMessageAge int64     `json:"oldest_message_age"` // seconds since the oldest message was sent; 0 without messages
	Created          time.Time `json:"created"`
}

// QueueSettings are what a queue is made with. Zero values leave the choice to the server.
type QueueSettings struct {
	MaxLength         int64 `json:"max_length,omitzero"`         // messages, 1 to 100,000,000
	VisibilityTimeout int64 `json:"visibility_timeout,omitzero"` // seconds, at most 43,200
}

// QueueUpdate names what is to change; nil leaves a setting as it is.
type QueueUpdate struct {
	MaxLength         *int64 `json:"max_length,omitempty"`         // messages, 1 to 100,000,000
	VisibilityTimeout *int64 `json:"visibility_timeout,omitempty"` // seconds, at most 43,200
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

// Queues lists all queues in one answer. EachQueue suits clusters with many of them.
func (c *Client) Queues(ctx context.Context) ([]Queue, error) {
	var list struct {
		Queues []Queue `json:"queues"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/queues", out: &list, repeatable: true})
	return list.Queues, err
}

// EachQueue goes through all queues in the order of their names, page by page. It ends after an error.
func (c *Client) EachQueue(ctx context.Context) iter.Seq2[Queue, error] {
	return pages(ctx, c, "/queues", nil, func(p *struct {
		Queues []Queue `json:"queues"`
	}) []Queue {
		return p.Queues
	}, func(q Queue) string { return q.Name })
}

// Queue returns one queue with the state of its messages.
func (c *Client) Queue(ctx context.Context, name string) (QueueDetails, error) {
	var q QueueDetails
	err := c.do(ctx, call{method: http.MethodGet, path: queuePath(name), out: &q, repeatable: true})
	return q, err
}

// UpdateQueue changes settings of a queue. A second time it changes nothing, so it is repeated elsewhere when need be.
func (c *Client) UpdateQueue(ctx context.Context, name string, u QueueUpdate) (Queue, error) {
	var q Queue
	err := c.do(ctx, call{method: http.MethodPatch, path: queuePath(name), in: u, out: &q, repeatable: true})
	return q, err
}

// PurgeQueue removes all messages of a queue: ready, leased and delayed ones.
func (c *Client) PurgeQueue(ctx context.Context, name string) (Queue, error) {
	var q Queue
	err := c.do(ctx, call{method: http.MethodPost, path: queuePath(name) + "/purge", out: &q})
	return q, err
}

// DeleteQueue removes a queue with its messages. A missing one is refused with status 404.
func (c *Client) DeleteQueue(ctx context.Context, name string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: queuePath(name)})
}

func queuePath(name string) string { return "/queues/" + url.PathEscape(name) }
