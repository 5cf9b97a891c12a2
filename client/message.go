package client

import (
	"context"
	"errors"
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

	SystemAttributeNames []string `json:"SystemAttributeNames,omitempty"`
	DeleteReceiptHandles []string `json:"DeleteReceiptHandles,omitempty"`
}

// Send puts a message into a queue and returns its id. When it returns nil, the message is on the disks of a majority. A try whose
// outcome is unknown is repeated under the same idempotency key, so that the message is there once, unless the user has used
// 10,000 newer keys in the meantime.
func (c *Client) Send(ctx context.Context, queue string, m Message, options ...SendOption) (string, error) {
	r, err := sendCall(options)
	if err != nil {
		return "", err
	}
	var sent struct {
		MessageID string `json:"MessageId"`
	}
	r.method, r.path, r.out = http.MethodPost, messagePath(queue), &sent
	r.in = message{Action: "SendMessage", MessageBody: m.Body, MessageAttributes: m.Attributes, DelaySeconds: seconds(m.Delay)}
	err = c.carryOut(ctx, &r)
	return sent.MessageID, err
}

// Delete removes a received message for good. A message that is gone, or that another receive has returned meanwhile, is
// refused with status 404. A message that is gone after a try whose outcome is unknown counts as deleted by it.
func (c *Client) Delete(ctx context.Context, queue, receiptHandle string) error {
	r := call{method: http.MethodPost, path: messagePath(queue), in: message{Action: "DeleteMessage", ReceiptHandle: receiptHandle}, repeatable: true}
	return r.deleted(c.carryOut(ctx, &r))
}

// deleted is what the error of a delete, or of one of a batch, means after the tries that were made. A message that somebody
// else has was deleted by none of them, and none that is still on its way will do it.
func (r *call) deleted(err error) error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok || r.doubt.IsZero():
	case e.Code == CodeMessageNotFound:
		return nil
	case e.Code == CodeReceiptSuperseded:
		e.Outcome = NotApplied
	}
	return err
}

// ChangeVisibility lets the lease of a received message end so long from now; 0 makes the message ready at once. Whole seconds,
// at most 12 hours. A lease that has ended already is refused with status 409, one that another receive has with 404.
func (c *Client) ChangeVisibility(ctx context.Context, queue, receiptHandle string, visibility time.Duration) error {
	s := seconds(visibility)
	in := message{Action: "ChangeMessageVisibility", ReceiptHandle: receiptHandle, VisibilityTimeout: &s}
	return c.do(ctx, call{method: http.MethodPost, path: messagePath(queue), in: in, repeatable: true})
}

func messagePath(queue string) string { return "/queue/" + url.PathEscape(queue) }

// seconds rounds up, so that a wait of less than a second is still one.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
