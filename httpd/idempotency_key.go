package httpd

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	// idempotencyHeader names a send, so that it can be sent again. Requests that are no sends ignore it: programs put it on
	// every POST, and what the others come to a second time does not depend on it.
	idempotencyHeader = "Idempotency-Key"
	// replayedHeader marks an answer that was given before.
	replayedHeader = "Idempotent-Replayed"
)

// idempotencyKey returns the key of a send, or nil if it has none. ids are those of a batch's entries.
func idempotencyKey(r *request, ids []string, messages []*fsmpb.NewMessage) (*fsmpb.IdempotencyKey, error) {
	given := r.http.Header[idempotencyHeader]
	if len(given) == 0 {
		return nil, nil
	}
	key := given[0]
	for _, other := range given[1:] {
		if other != key {
			return nil, invalid(idempotencyHeader, "be given only once; send the request again with one of them")
		}
	}
	if key == "" || len(key) > fsm.MaxIdempotencyKeyBytes || !isVisible(key) {
		return nil, invalid(idempotencyHeader, "be 1 to %d visible ASCII characters, without spaces; "+
			"a random one such as a UUID is good", fsm.MaxIdempotencyKeyBytes)
	}
	return &fsmpb.IdempotencyKey{Key: key, RequestHash: requestHash(r.action, ids, messages)}, nil
}

// isVisible says whether s has only ASCII characters that people see, of which a space is none.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// requestHash tells two requests under one key apart. It covers what they mean and not their bytes: an encoder may write the
// fields of an object in another order each time. What is stored of the messages belongs to it, and what the answer depends
// on: the Action, which gives it its shape, and the ids of the entries, which it names. Whose request it is and to which
// queue does not: every user has keys of their own in every queue.
func requestHash(action string, ids []string, messages []*fsmpb.NewMessage) []byte {
	h := sha256.New()
	addToHash(h, []byte(action))
	for i, m := range messages {
		if ids != nil {
			addToHash(h, []byte(ids[i]))
		}
		addToHash(h, m.GetContent())
		addToHash(h, binary.BigEndian.AppendUint32(nil, m.GetDelayS()))
	}
	return h.Sum(nil)
}

// addToHash adds a part with its length, so that no two lists of parts are alike.
func addToHash(h hash.Hash, part []byte) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
	h.Write(part)
}
