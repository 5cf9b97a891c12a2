package httpd

import (
	"fmt"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// maxEntryIDBytes bounds the Id of a batch's entry.
const maxEntryIDBytes = 80

// batchAnswer is the answer to every batch: each entry of the request stands in one of the two, in the request's order.
type batchAnswer struct {
	Successful []batchSuccess `json:"Successful"`
	Failed     []batchFailure `json:"Failed"`
}

type batchSuccess struct {
	ID        string `json:"Id"`
	MessageID string `json:"MessageId,omitempty"` // of the sent message
}

type batchFailure struct {
	ID      string `json:"Id"`
	Code    string `json:"Code"`
	Message string `json:"Message"`
}

// add puts one entry where it belongs; refused is nil for a success.
func (b *batchAnswer) add(id, messageID string, refused *fsmpb.Error) {
	if refused.GetCode() == "" {
		b.Successful = append(b.Successful, batchSuccess{ID: id, MessageID: messageID})
		return
	}
	text := meaningOf(refused.GetCode()).text(refused.GetCode(), refused.GetDetail())
	b.Failed = append(b.Failed, batchFailure{ID: id, Code: refused.GetCode(), Message: text})
}

// checkEntries refuses a batch whose entries can't be told apart, are too many or none.
func checkEntries(ids []string) error {
	if len(ids) < 1 || len(ids) > fsm.MaxBatchEntries {
		return invalid("Entries", "be an array of 1 to %d entries", fsm.MaxBatchEntries)
	}
	seen := make(map[string]bool, len(ids))
	for i, id := range ids {
		if id == "" || len(id) > maxEntryIDBytes || !isWord(id, "-_") {
			return invalid(entryField(i, "Id"), "be 1 to %d characters of A-Z, a-z, 0-9, _ and -", maxEntryIDBytes)
		}
		if seen[id] {
			return invalid(entryField(i, "Id"), "differ from the Id of every other entry")
		}
		seen[id] = true
	}
	return nil
}

// entryField names a field of an entry.
func entryField(i int, field string) string { return fmt.Sprintf("Entries[%d].%s", i, field) }
