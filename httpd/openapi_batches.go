package httpd

import (
	"fmt"
	"maps"
	"reflect"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
)

func docSendMessageBatch() documentation {
	return documentation{
		summary: "Send several messages at once",
		about: fmt.Sprintf("The messages of a batch have at most %d bytes together, and are stored at once and in their order. A "+
			"malformed entry refuses the whole batch; what the queue "+
			"refuses stands in Failed. With an Idempotency-Key a batch can be repeated, whole.", fsm.MaxMessageBytes),
		request: sendBatch{}, strict: true,
		example: `{"Action": "SendMessageBatch", "Entries": [{"Id": "a", "MessageBody": "one"}, {"Id": "b", "MessageBody": "two", "DelaySeconds": 5}]}`,
		answer:  batchAnswer{},
		shows:   `{"Successful":[{"Id":"a","MessageId":"` + exampleID + `"}],"Failed":[{"Id":"b","Code":"queue_full","Message":"The queue holds ..."}]}`,
		codes:   []string{codeMessageTooLong, fsm.CodeKeyReused, cluster.CodeDiskLow},
	}
}

func docDeleteMessageBatch() documentation {
	return documentation{
		summary: "Delete several messages at once", about: "What can't be deleted stands in Failed.",
		request: deleteBatch{}, strict: true,
		example: `{"Action": "DeleteMessageBatch", "Entries": [{"Id": "a", "ReceiptHandle": "` + exampleHandle + `"}]}`,
		answer:  batchAnswer{}, shows: `{"Successful":[{"Id":"a"}],"Failed":[]}`,
	}
}

func docChangeMessageVisibilityBatch() documentation {
	return documentation{
		summary: "Change the visibility of several messages at once", about: "What can't be changed stands in Failed.",
		request: visibilityBatch{}, strict: true,
		example: `{"Action": "ChangeMessageVisibilityBatch", "Entries": [{"Id": "a", "ReceiptHandle": "` + exampleHandle + `", "VisibilityTimeout": 60}]}`,
		answer:  batchAnswer{}, shows: `{"Successful":[{"Id":"a"}],"Failed":[]}`,
	}
}

func batchTypes() map[reflect.Type]described {
	act := field{about: "What to do.", need: true}
	id := field{about: fmt.Sprintf("1 to %d of A-Z, a-z, 0-9, _ and -; no two alike in a batch.", maxEntryIDBytes), need: true,
		within: within(1, maxEntryIDBytes), pattern: "^[A-Za-z0-9_-]+$"}
	handle := field{about: "Of the newest receive of the message.", need: true, within: within(1, maxBodyBytes)}
	entries := field{about: "What to do to each message.", need: true, within: within(1, fsm.MaxBatchEntries)}
	sent := fields{"Id": id}
	maps.Copy(sent, messageFields())
	return map[reflect.Type]described{
		reflect.TypeFor[sendBatch]():       {"SendMessageBatch", "Messages to send.", fields{"Action": act, "Entries": entries}},
		reflect.TypeFor[sendEntry]():       {"SendEntry", "A message to send.", sent},
		reflect.TypeFor[deleteBatch]():     {"DeleteMessageBatch", "Messages to delete.", fields{"Action": act, "Entries": entries}},
		reflect.TypeFor[deleteEntry]():     {"DeleteEntry", "A message to delete.", fields{"Id": id, "ReceiptHandle": handle}},
		reflect.TypeFor[visibilityBatch](): {"ChangeMessageVisibilityBatch", "Leases and their new ends.", fields{"Action": act, "Entries": entries}},
		reflect.TypeFor[visibilityEntry](): {"VisibilityEntry", "A lease and its new end.", fields{"Id": id}},
		reflect.TypeFor[batchAnswer](): {"BatchResult", "The answer to a batch: each entry of the request stands in one of the two, in " +
			"the request's order.", fields{
			"Successful": {about: "What was done."}, "Failed": {about: "What was refused."},
		}},
		reflect.TypeFor[batchSuccess](): {"BatchSuccess", "An entry that was carried out.", fields{
			"Id": {about: "Of the entry."}, "MessageId": {about: "Of the message, if it was sent."},
		}},
		reflect.TypeFor[batchFailure](): {"BatchFailure", "An entry that was refused.", fields{
			"Id": {about: "Of the entry."}, "Code": {about: "For programs: one of the codes of errors."}, "Message": {about: "For people."},
		}},
	}
}
