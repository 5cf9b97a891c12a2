package httpd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// receiveRequest is the JSON of a ReceiveMessage.
type receiveRequest struct {
	Max               integer  `json:"MaxNumberOfMessages"`
	VisibilityTimeout integer  `json:"VisibilityTimeout"`
	Wait              integer  `json:"WaitTimeSeconds"`
	SystemAttributes  []string `json:"SystemAttributeNames"`
	Delete            []string `json:"DeleteReceiptHandles"`
}

// command validates the request; the duration is how long to wait for a first message.
func (in *receiveRequest) command(r *request) (*fsmpb.Command, time.Duration, error) {
	most, err := in.Max.between("MaxNumberOfMessages", 1, fsm.MaxReceive, 1)
	if err != nil {
		return nil, 0, err
	}
	visibility, err := in.VisibilityTimeout.between("VisibilityTimeout", 0, int64(fsm.MaxVisibilityTimeout.Seconds()), 0)
	if err != nil {
		return nil, 0, err
	}
	wait, err := in.Wait.between("WaitTimeSeconds", 0, int64(fsm.MaxWait.Seconds()), 0)
	if err != nil {
		return nil, 0, err
	}
	if len(in.Delete) > fsm.MaxBatchEntries {
		return nil, 0, invalid("DeleteReceiptHandles", "be an array of at most %d handles", fsm.MaxBatchEntries)
	}
	for i, h := range in.Delete {
		if err := required(fmt.Sprintf("DeleteReceiptHandles[%d]", i), h); err != nil {
			return nil, 0, err
		}
	}
	if err := checkSystemAttributes(in.SystemAttributes); err != nil {
		return nil, 0, err
	}
	receive := &fsmpb.ReceiveMessage{Queue: r.queue, Max: uint32(most)}
	if in.VisibilityTimeout.given {
		receive.VisibilityTimeoutS = proto.Uint32(uint32(visibility))
	}
	cmd := &fsmpb.Command{Principal: r.principal(), Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: receive}}
	return cmd, time.Duration(wait) * time.Second, nil
}

// receivedMessages is the answer to ReceiveMessage.
type receivedMessages struct {
	Messages []receivedMessage `json:"Messages"`

	DeleteResults []deleteOutcome `json:"DeleteResults,omitempty"` // one per handle of DeleteReceiptHandles, in their order
}

// deleteOutcome is what became of one message that was to be deleted; Code and Message only if it was not.
type deleteOutcome struct {
	Handle  string `json:"ReceiptHandle"`
	Deleted bool   `json:"Deleted"`
	Code    string `json:"Code,omitempty"`
	Message string `json:"Message,omitempty"`
}

type receivedMessage struct {
	ID            string     `json:"MessageId"`
	Body          string     `json:"Body"`
	Attributes    attributes `json:"Attributes"`
	ReceiptHandle string     `json:"ReceiptHandle"`

	SystemAttributes map[string]string `json:"SystemAttributes,omitempty"` // only when asked for
}

func (s *Server) receiveMessage(ctx context.Context, r *request) (any, error) {
	var in receiveRequest
	if err := decode(r.body, &in); err != nil {
		return nil, err
	}
	cmd, wait, err := in.command(r)
	if err != nil {
		return nil, err
	}
	keys, err := s.keys(ctx) // before messages are taken that could not be answered
	if err != nil {
		return nil, err
	}
	if len(in.Delete) > 0 {
		if cmd.GetReceiveMessage().Delete, err = s.receipts(ctx, in.Delete); err != nil {
			return nil, err
		}
	}
	received, err := s.receive(r, cmd, wait)
	if err != nil {
		return nil, err
	}
	s.metrics.removed(received.GetDeleteErrors())
	if err := s.payForMessages(r, received); err != nil {
		return nil, err
	}
	out, err := answerReceived(keys.GetReceiptKey(), received, in.SystemAttributes)
	if err != nil {
		return nil, err
	}
	s.metrics.handedOut(received.GetDeliveries())
	out.DeleteResults, err = deleteOutcomes(in.Delete, received.GetDeleteErrors())
	return out, err
}

func deleteOutcomes(handles []string, refused []*fsmpb.Error) ([]deleteOutcome, error) {
	if len(handles) != len(refused) {
		return nil, &apiError{code: codeInternal, unknown: true, cause: fmt.Errorf("%d results for %d receipts", len(refused), len(handles))}
	}
	out := make([]deleteOutcome, len(handles))
	for i, e := range refused {
		out[i] = deleteOutcome{Handle: handles[i], Deleted: e.GetCode() == "", Code: e.GetCode()}
		if !out[i].Deleted {
			out[i].Message = meaningOf(e.GetCode()).text(e.GetCode(), e.GetDetail())
		}
	}
	return out, nil
}

// receive takes messages, for which it has more time than other requests. Messages that come when the client has already
// gone are given back.
func (s *Server) receive(r *request, cmd *fsmpb.Command, wait time.Duration) (*fsmpb.ReceiveResult, error) {
	ctx, cancel := context.WithTimeout(r.ctx, wait+requestTime)
	defer cancel()
	result, err := s.node.Receive(ctx, cmd, wait)
	if err != nil {
		return nil, nodeError(err, true)
	}
	if err := refusal(result.GetError()); err != nil {
		return nil, err
	}
	received := result.GetReceive()
	if gone := r.ctx.Err(); gone != nil && len(received.GetDeliveries()) > 0 {
		if err := s.giveBack(r, received); err != nil {
			return nil, err
		}
		return nil, &apiError{code: cluster.CodeTimeout, detail: "The client has gone; its messages were released."}
	}
	return received, nil
}

// payForMessages makes room for an answer. Messages that find none are given back, as if they had not been received.
func (s *Server) payForMessages(r *request, received *fsmpb.ReceiveResult) error {
	text, memory := sizeOf(received)
	err := s.answers.pay(r.ctx, &r.held, memory)
	var e *apiError
	if !errors.As(err, &e) {
		r.held.text = text
		return err
	}
	e.unknown = slices.ContainsFunc(received.GetDeleteErrors(), func(e *fsmpb.Error) bool { return e.GetCode() == "" })
	if err := s.giveBack(r, received); err != nil { // they come back when their lease ends
		e.unknown, e.cause = true, errors.Join(e.cause, err)
	}
	return e
}

// giveBack releases messages whose receiver does not get them. Its error is only seen in the log.
func (s *Server) giveBack(r *request, received *fsmpb.ReceiveResult) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), requestTime)
	defer cancel()
	release := &fsmpb.ReleaseMessage{}
	for _, d := range received.GetDeliveries() {
		release.Receipts = append(release.Receipts, receiptOf(received, d))
	}
	_, err := s.propose(ctx, &fsmpb.Command{Op: &fsmpb.Command_ReleaseMessage{ReleaseMessage: release}})
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}

func receiptOf(received *fsmpb.ReceiveResult, d *fsmpb.Delivery) *fsmpb.Receipt {
	return &fsmpb.Receipt{Queue: received.GetQueue(), Sequence: d.GetSequence(), Delivery: d.GetDelivery()}
}

// answerReceived makes the answer of what was taken. A delivery without content was purged meanwhile.
func answerReceived(receiptKey []byte, received *fsmpb.ReceiveResult, system []string) (receivedMessages, error) {
	out := receivedMessages{Messages: make([]receivedMessage, 0, len(received.GetDeliveries()))}
	receipts := fsm.NewReceipts(receiptKey)
	for _, d := range received.GetDeliveries() {
		if d.GetMessage() == nil {
			continue
		}
		var content fsmpb.Content
		if err := proto.Unmarshal(d.GetMessage().GetContent(), &content); err != nil {
			return out, fmt.Errorf("decode message %s: %w", fsm.MessageID(received.GetQueue(), d.GetSequence()), err)
		}
		out.Messages = append(out.Messages, receivedMessage{
			ID:            fsm.MessageID(received.GetQueue(), d.GetSequence()),
			Body:          content.GetBody(),
			Attributes:    content.GetAttributes(),
			ReceiptHandle: receipts.Encode(receiptOf(received, d)),

			SystemAttributes: systemAttributes(system, d),
		})
	}
	return out, nil
}
