package client

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Delivery is what is received: a message, leased until its queue's visibility timeout ends.
type Delivery struct {
	MessageID     string               `json:"MessageId"`
	Body          string               `json:"Body"`
	Attributes    map[string]Attribute `json:"Attributes"`
	ReceiptHandle string               `json:"ReceiptHandle"` // deletes the message, while no other receive has returned it

	SystemAttributes map[string]string `json:"SystemAttributes,omitempty"` // only when they were asked for
}

// ReceiveCount is how often the message was received, this time included; 0 when that was not asked for.
func (d *Delivery) ReceiveCount() int {
	n, err := strconv.Atoi(d.SystemAttributes["ApproximateReceiveCount"])
	if err != nil {
		return 0
	}
	return n
}

// Sent is when the message was sent; zero when that was not asked for.
func (d *Delivery) Sent() time.Time { return d.timestamp("SentTimestamp") }

// FirstReceived is when the message was received for the first time; zero when that was not asked for.
func (d *Delivery) FirstReceived() time.Time { return d.timestamp("ApproximateFirstReceiveTimestamp") }

func (d *Delivery) timestamp(name string) time.Time {
	ms, err := strconv.ParseInt(d.SystemAttributes[name], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// ReceiveOptions say how many messages are wanted, how long to wait for them and for how long they are leased.
type ReceiveOptions struct {
	Max               int            // 1 to 10; 0 means 1
	Wait              time.Duration  // how long to wait for a first message; whole seconds, at most 20
	VisibilityTimeout *time.Duration // whole seconds, at most 12 hours; nil means the queue's
	SystemAttributes  bool           // tell how often and when the message was received, and when it was sent
}

func (o *ReceiveOptions) message() message {
	in := message{Action: "ReceiveMessage", MaxNumberOfMessages: max(o.Max, 1), WaitTimeSeconds: seconds(o.Wait)}
	if o.VisibilityTimeout != nil {
		in.VisibilityTimeout = new(seconds(*o.VisibilityTimeout))
	}
	if o.SystemAttributes {
		in.SystemAttributeNames = []string{"All"}
	}
	return in
}

// Receive takes messages from a queue. None is not an error. When the outcome is unknown, messages may have been leased to
// nobody; they return when their lease ends.
func (c *Client) Receive(ctx context.Context, queue string, o ReceiveOptions) ([]Delivery, error) {
	deliveries, _, err := c.DeleteAndReceive(ctx, queue, nil, o)
	return deliveries, err
}

// DeleteAndReceive deletes up to MaxBatch received messages and takes the next ones, in one round trip and one entry of the
// cluster's log. The deletes are made at once, also if the receive then waits. Their results stand in the order of the handles.
// After an error, deleting them again is safe.
func (c *Client) DeleteAndReceive(ctx context.Context, queue string, receiptHandles []string, o ReceiveOptions) ([]Delivery, []EntryResult, error) {
	in := o.message()
	in.DeleteReceiptHandles = receiptHandles
	var out struct {
		Messages      []Delivery     `json:"Messages"`
		DeleteResults []deleteResult `json:"DeleteResults"`
	}
	err := c.do(ctx, call{method: http.MethodPost, path: messagePath(queue), in: in, out: &out, wait: o.Wait})
	if err != nil {
		return nil, nil, err
	}
	return out.Messages, deleteResults(receiptHandles, out.DeleteResults), nil
}

type deleteResult struct {
	ReceiptHandle string `json:"ReceiptHandle"`
	Deleted       bool   `json:"Deleted"`
	Code          string `json:"Code"`
	Message       string `json:"Message"`
}

// deleteResults puts the answers into the order of the handles. A handle that the server does not mention is unknown.
func deleteResults(handles []string, answers []deleteResult) []EntryResult {
	results := make([]EntryResult, len(handles))
	for i := range results {
		switch {
		case i >= len(answers) || answers[i].ReceiptHandle != handles[i]:
			results[i].Err = &Error{Code: "bad_answer", Detail: "the answer does not mention this handle", Outcome: Unknown}
		case !answers[i].Deleted:
			results[i].Err = entryError(answers[i].Code, answers[i].Message)
		}
	}
	return results
}
