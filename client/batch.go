package client

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// MaxBatch is how many messages one batch may hold.
const MaxBatch = 10

// EntryResult is what became of one entry of a batch.
type EntryResult struct {
	MessageID string // the sent message's id; empty for everything but sends
	Err       error  // an *Error when this entry was refused
}

// entry is the JSON of one entry of a batch.
type entry struct {
	ID                string               `json:"Id"`
	MessageBody       string               `json:"MessageBody,omitzero"`
	MessageAttributes map[string]Attribute `json:"MessageAttributes,omitempty"`
	DelaySeconds      int64                `json:"DelaySeconds,omitzero"`
	ReceiptHandle     string               `json:"ReceiptHandle,omitzero"`
	VisibilityTimeout *int64               `json:"VisibilityTimeout,omitempty"`
}

// SendBatch puts up to MaxBatch messages into a queue, in their order. The results stand in the order of the messages; an
// error means that the whole batch was refused or that its outcome is unknown. A try whose outcome is unknown is repeated, under
// the same idempotency key: one for the batch.
func (c *Client) SendBatch(ctx context.Context, queue string, messages []Message, options ...SendOption) ([]EntryResult, error) {
	r, err := sendCall(options)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(messages))
	for i, m := range messages {
		entries[i] = entry{ID: strconv.Itoa(i), MessageBody: m.Body, MessageAttributes: m.Attributes, DelaySeconds: seconds(m.Delay)}
	}
	results, err := c.batch(ctx, &r, queue, "SendMessageBatch", entries)
	if r.unsure() && !slices.ContainsFunc(results, func(e EntryResult) bool { return e.Err == nil }) {
		stillUnknown(results)
	}
	return results, err
}

// stillUnknown marks the refusals of a batch that stored nothing: it is not remembered, so an earlier try that is still on its
// way may store something yet.
func stillUnknown(results []EntryResult) {
	for _, e := range results {
		if refusal, ok := errors.AsType[*Error](e.Err); ok {
			refusal.Outcome = Unknown
		}
	}
}

// DeleteBatch removes up to MaxBatch received messages. The results stand in the order of the handles. As with Delete, what is
// gone after a try whose outcome is unknown counts as deleted.
func (c *Client) DeleteBatch(ctx context.Context, queue string, receiptHandles []string) ([]EntryResult, error) {
	entries := make([]entry, len(receiptHandles))
	for i, h := range receiptHandles {
		entries[i] = entry{ID: strconv.Itoa(i), ReceiptHandle: h}
	}
	r := call{repeatable: true}
	results, err := c.batch(ctx, &r, queue, "DeleteMessageBatch", entries)
	for i := range results {
		results[i].Err = r.deleted(results[i].Err)
	}
	return results, err
}

// Visibility is a lease that is to end so long from now.
type Visibility struct {
	ReceiptHandle string
	Timeout       time.Duration // whole seconds, at most 12 hours; 0 makes the message ready at once
}

// ChangeVisibilityBatch changes up to MaxBatch leases. The results stand in the order of the changes.
func (c *Client) ChangeVisibilityBatch(ctx context.Context, queue string, changes []Visibility) ([]EntryResult, error) {
	entries := make([]entry, len(changes))
	for i, v := range changes {
		s := seconds(v.Timeout)
		entries[i] = entry{ID: strconv.Itoa(i), ReceiptHandle: v.ReceiptHandle, VisibilityTimeout: &s}
	}
	return c.batch(ctx, &call{repeatable: true}, queue, "ChangeMessageVisibilityBatch", entries)
}

// batchAnswer is the JSON of the server's answer to a batch.
type batchAnswer struct {
	Successful []struct {
		ID        string `json:"Id"`
		MessageID string `json:"MessageId"`
	} `json:"Successful"`
	Failed []struct {
		ID      string `json:"Id"`
		Code    string `json:"Code"`
		Message string `json:"Message"`
	} `json:"Failed"`
}

// batch carries out a call with entries.
func (c *Client) batch(ctx context.Context, r *call, queue, action string, entries []entry) ([]EntryResult, error) {
	var answer batchAnswer
	r.method, r.path, r.in, r.out = http.MethodPost, messagePath(queue), message{Action: action, Entries: entries}, &answer
	if err := c.carryOut(ctx, r); err != nil {
		return nil, err
	}
	return answer.results(len(entries)), nil
}

// results puts the answers into the order of the entries. An entry that the server does not mention is unknown.
func (a *batchAnswer) results(n int) []EntryResult {
	results := make([]EntryResult, n)
	for i := range results {
		results[i].Err = &Error{Code: "bad_answer", Detail: "the answer does not mention this entry", Outcome: Unknown}
	}
	for _, s := range a.Successful {
		if i, err := strconv.Atoi(s.ID); err == nil && i >= 0 && i < n {
			results[i] = EntryResult{MessageID: s.MessageID}
		}
	}
	for _, f := range a.Failed {
		if i, err := strconv.Atoi(f.ID); err == nil && i >= 0 && i < n {
			results[i] = EntryResult{Err: entryError(f.Code, f.Message)}
		}
	}
	return results
}

// entryError is the refusal of a single entry. Its status is the one that the request would have had with this entry alone.
func entryError(code, detail string) *Error {
	status := http.StatusBadRequest
	switch code {
	case CodeMessageNotFound, CodeReceiptSuperseded, CodeQueueNotFound:
		status = http.StatusNotFound
	case CodeMessageNotLeased:
		status = http.StatusConflict
	case CodeQueueFull:
		status = http.StatusTooManyRequests
	case CodeDiskLow:
		status = http.StatusInsufficientStorage
	}
	return &Error{Status: status, Code: code, Detail: detail, Outcome: NotApplied}
}
