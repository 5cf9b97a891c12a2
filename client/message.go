package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Message is what is sent.
type Message struct {
	Body       string               // 1 byte to 1 MiB of UTF-8, attributes included
	Attributes map[string]Attribute // at most 10
	Delay      time.Duration        // how long nobody receives it; whole seconds, at most 900
}

// Delivery is what is received: a message, leased until its queue's visibility timeout ends.
type Delivery struct {
	MessageID     string               `json:"MessageId"`
	Body          string               `json:"Body"`
	Attributes    map[string]Attribute `json:"Attributes"`
	ReceiptHandle string               `json:"ReceiptHandle"` // deletes the message, while no other receive has returned it
}

// ReceiveOptions say how many messages are wanted, how long to wait for them and for how long they are leased.
type ReceiveOptions struct {
	Max               int            // 1 to 10; 0 means 1
	Wait              time.Duration  // how long to wait for a first message; whole seconds, at most 20
	VisibilityTimeout *time.Duration // whole seconds, at most 12 hours; nil means the queue's
}

// message is the JSON of every message action.
type message struct {
	Action              string               `json:"Action"`
	MessageBody         string               `json:"MessageBody,omitzero"`
	MessageAttributes   map[string]Attribute `json:"MessageAttributes,omitempty"`
	DelaySeconds        int64                `json:"DelaySeconds,omitzero"`
	MaxNumberOfMessages int                  `json:"MaxNumberOfMessages,omitzero"`
	WaitTimeSeconds     int64                `json:"WaitTimeSeconds,omitzero"`
	VisibilityTimeout   *int64               `json:"VisibilityTimeout,omitempty"`
	ReceiptHandle       string               `json:"ReceiptHandle,omitzero"`
	Entries             []entry              `json:"Entries,omitempty"`
}

// Send puts a message into a queue and returns its id. When it returns nil, the message is on the disks of a majority.
func (c *Client) Send(ctx context.Context, queue string, m Message) (string, error) {
	in := message{Action: "SendMessage", MessageBody: m.Body, MessageAttributes: m.Attributes, DelaySeconds: seconds(m.Delay)}
	var sent struct {
		MessageID string `json:"MessageId"`
	}
	err := c.do(ctx, call{method: http.MethodPost, path: messagePath(queue), in: in, out: &sent})
	return sent.MessageID, err
}

// Receive takes messages from a queue. None is not an error. When the outcome is unknown, messages may have been leased to
// nobody; they return when their lease ends.
func (c *Client) Receive(ctx context.Context, queue string, o ReceiveOptions) ([]Delivery, error) {
	in := message{Action: "ReceiveMessage", MaxNumberOfMessages: max(o.Max, 1), WaitTimeSeconds: seconds(o.Wait)}
	if o.VisibilityTimeout != nil {
		s := seconds(*o.VisibilityTimeout)
		in.VisibilityTimeout = &s
	}
	var received struct {
		Messages []Delivery `json:"Messages"`
	}
	err := c.do(ctx, call{method: http.MethodPost, path: messagePath(queue), in: in, out: &received, wait: o.Wait})
	return received.Messages, err
}

// Delete removes a received message for good. A message that is gone, or that another receive has returned meanwhile, is
// refused with status 404.
func (c *Client) Delete(ctx context.Context, queue, receiptHandle string) error {
	in := message{Action: "DeleteMessage", ReceiptHandle: receiptHandle}
	return c.do(ctx, call{method: http.MethodPost, path: messagePath(queue), in: in})
}

func messagePath(queue string) string { return "/queue/" + url.PathEscape(queue) }

// seconds rounds up, so that a wait of less than a second is still one.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
