package httpd

import (
	"fmt"
	"reflect"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
)

const (
	exampleHandle = "AAAAAAAAAAMAAAAAAAAAAQAAAAGVx1n2p0Qe3kq6"
	exampleID     = "00000000-0000-0003-0000-000000000001"
)

func docAct() documentation {
	return documentation{
		id: "act", tag: messagesTag, summary: "Send, receive and delete messages",
		about:      "The field Action of the request says what to do, and with that which other fields there are and what is answered.",
		parameters: []parameter{queueParameter(), idempotencyParameter()}, codes: []string{fsm.CodeQueueNotFound},
	}
}

func idempotencyParameter() parameter {
	return parameter{Name: idempotencyHeader, In: "header",
		Description: fmt.Sprintf("Of sends; other Actions ignore it. Names the request, so that it can be sent again: the first one that "+
			"stores a message is remembered with its answer, for the user and the queue, for %d minutes or until %d newer keys of the same "+
			"user. The same request gets that answer again, with the header %s, and stores nothing; another request is refused with %s.",
			int(fsm.RememberFor.Minutes()), fsm.MaxIdempotencyKeys, replayedHeader, fsm.CodeKeyReused),
		Schema: &schema{Type: "string", MinLength: new(int64(1)), MaxLength: new(int64(fsm.MaxIdempotencyKeyBytes)), Pattern: "^[!-~]+$"},
	}
}

func docSendMessage() documentation {
	return documentation{
		summary: "Send a message",
		about: fmt.Sprintf("Body and attributes, decoded, have at most %d bytes together. A message's place in its queue is given when it "+
			"is sent; one that becomes visible again "+
			"returns to it. With an Idempotency-Key a send can be repeated. While the disks of a majority are nearly full, sends alone are refused.", fsm.MaxMessageBytes),
		request: newMessage{}, example: `{"Action": "SendMessage", "MessageBody": "hello", "MessageAttributes": {"kind": "greeting"}}`,
		answer: sentMessage{}, shows: `{"MessageId":"` + exampleID + `","status":"sent"}`,
		codes: []string{codeMessageTooLong, fsm.CodeQueueFull, fsm.CodeKeyReused, cluster.CodeDiskLow},
	}
}

func docReceiveMessage() documentation {
	return documentation{
		summary: "Receive messages",
		about: fmt.Sprintf("A received message is hidden from other receivers until its visibility timeout ends; then it can be received "+
			"again, so delete it before. Without a message "+
			"the answer is an empty array. Messages of a client that hung up while it waited are visible again at once. One answer has at "+
			"most %d MiB of messages, but at least one if "+
			"there is one. Messages to delete first cost no further round trip.", fsm.MaxReceiveBytes>>20),
		request: receiveRequest{}, example: `{"Action": "ReceiveMessage", "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}`,
		answer: receivedMessages{},
		shows:  `{"Messages":[{"MessageId":"` + exampleID + `","Body":"hello","Attributes":{"kind":"greeting"},"ReceiptHandle":"` + exampleHandle + `"}]}`,
		codes:  []string{fsm.CodeLimitReached},
	}
}

func docDeleteMessage() documentation {
	return documentation{
		summary: "Delete a message",
		about: "Every receive gives a message a new handle. The newest handle deletes the message, even after its visibility timeout, " +
			"until another receive has returned the message. " +
			"A handle works only on its own queue.",
		request: deletion{}, example: `{"Action": "DeleteMessage", "ReceiptHandle": "` + exampleHandle + `"}`,
		answer: statement{}, shows: `{"message":"Message deleted successfully"}`,
		codes: []string{fsm.CodeMessageNotFound, fsm.CodeReceiptSuperseded},
	}
}

func docChangeMessageVisibility() documentation {
	return documentation{
		summary: "Change when a received message becomes visible again",
		about:   "The lease ends this many seconds from now; with 0 the message is ready at once, in its place.",
		request: visibilityRequest{}, strict: true,
		example: `{"Action": "ChangeMessageVisibility", "ReceiptHandle": "` + exampleHandle + `", "VisibilityTimeout": 60}`,
		answer:  statement{}, shows: `{"message":"Visibility timeout changed successfully"}`,
		codes: []string{fsm.CodeMessageNotFound, fsm.CodeReceiptSuperseded, fsm.CodeMessageNotLeased},
	}
}

func messageTypes() map[reflect.Type]described {
	handle := field{about: "Of the newest receive of the message.", need: true, within: within(1, maxBodyBytes)}
	id := field{about: "The same for as long as the message exists."}
	seconds := int64(fsm.MaxVisibilityTimeout.Seconds())
	return map[reflect.Type]described{
		reflect.TypeFor[newMessage](): {"SendMessage", "A message to send.", messageFields()},
		reflect.TypeFor[typedAttribute](): {"TypedAttribute", "An attribute with a type. It comes back in this shape.", fields{
			"DataType": {about: fmt.Sprintf("String, Number or Binary, which may go on with a dot and a label; at most "+
				"%d bytes.", maxAttributeNameBytes),
				need: true, pattern: `^(String|Number|Binary)(\..*)?$`, within: within(1, maxAttributeNameBytes)},
			"StringValue": {about: "Of String and Number."},
			"BinaryValue": {about: "Of Binary, in base64."},
		}},
		reflect.TypeFor[sentMessage](): {"SentMessage", "The answer to SendMessage.", fields{
			"MessageId": id, "status": {about: "sent", values: []string{"sent"}},
		}},
		reflect.TypeFor[receiveRequest](): {"ReceiveMessage", "What to receive.", fields{
			"MaxNumberOfMessages": {about: "The most messages of the answer.", within: within(1, fsm.MaxReceive), otherwise: 1},
			"VisibilityTimeout": {about: "Seconds for which the messages are hidden; without it the queue's " +
				"setting.", within: within(0, seconds)},
			"WaitTimeSeconds": {about: "How long to wait for a first " +
				"message.", within: within(0, int64(fsm.MaxWait.Seconds())), otherwise: 0},
			"SystemAttributeNames": {about: "What each message's SystemAttributes " +
				"shall tell.", values: []string{attributeAll, attributeReceiveCount, attributeFirstReceive, attributeSent}},
			"DeleteReceiptHandles": {about: "Messages to delete first.", within: within(0, fsm.MaxBatchEntries)},
		}},
		reflect.TypeFor[receivedMessages](): {"ReceivedMessages", "The answer to ReceiveMessage.", fields{
			"Messages":      {about: "Empty when there were none."},
			"DeleteResults": {about: "One for each of DeleteReceiptHandles, in their order."},
		}},
		reflect.TypeFor[receivedMessage](): {"Message", "A received message.", fields{
			"MessageId": id, "Body": {about: "As it was sent."}, "Attributes": {about: "As they were sent, sorted by name."},
			"ReceiptHandle":    {about: "For deleting it and for changing its visibility."},
			"SystemAttributes": {about: "Those that were asked for: the receive count, and times in milliseconds since 1970."},
		}},
		reflect.TypeFor[deleteOutcome](): {"DeleteResult", "What became of one message that was to be deleted.", fields{
			"ReceiptHandle": {about: "Of the request."}, "Deleted": {about: "Whether it was."},
			"Code": {about: "If it was not: for programs."}, "Message": {about: "If it was not: for people."},
		}},
		reflect.TypeFor[deletion](): {"DeleteMessage", "A message to delete.", fields{"ReceiptHandle": handle}},
		reflect.TypeFor[visibilityChange](): {"VisibilityChange", "A lease and its new end.", fields{
			"ReceiptHandle":     handle,
			"VisibilityTimeout": {about: "Seconds from now.", need: true, within: within(0, seconds)},
		}},
		reflect.TypeFor[visibilityRequest](): {"ChangeMessageVisibility", "A lease and its new end.", fields{"Action": {about: "What to do.", need: true}}},
	}
}

// messageFields are the fields of a message to send, alone or in a batch.
func messageFields() fields {
	return fields{
		"MessageBody": {about: "The content.", need: true, within: within(1, fsm.MaxMessageBytes)},
		"MessageAttributes": {about: fmt.Sprintf("Up to %d names of 1 to %d bytes, each with a string or a "+
			"typed value.", fsm.MaxAttributes, maxAttributeNameBytes)},
		"DelaySeconds": {about: "How long nobody receives the message.", within: within(0, int64(fsm.MaxDelay.Seconds())), otherwise: 0},
	}
}
