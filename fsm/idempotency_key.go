package fsm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// An idempotency key lets a client repeat a send: the first one that stores a message is remembered with its result, for
// the user and the queue, and the same request under the same key gets that result and stores nothing. A user's oldest key
// is forgotten after RememberFor, or when there would be more than MaxIdempotencyKeys; a request that comes again after
// that is a new one. A send that stored nothing is not remembered: it may be tried again.

// applySendOnce applies a send unless its idempotency key was used before.
func (s *state) applySendOnce(user *fsmpb.User, c *fsmpb.SendMessage) *fsmpb.Result {
	q := s.queues[c.Queue]
	if c.IdempotencyKey == nil || q == nil {
		return s.applySendMessage(c)
	}
	name := append(binary.BigEndian.AppendUint64(nil, q.rec.Id), c.IdempotencyKey.Key...)
	if first := s.rememberedSend(user.Id, name); first != nil {
		if !bytes.Equal(first.RequestHash, c.IdempotencyKey.RequestHash) {
			return refused(CodeKeyReused, "The Idempotency-Key was used for another request to this queue; use a new one for every request.")
		}
		return s.recall(answer{encoded: first.Result}, fsmpb.Remembered_BY_IDEMPOTENCY_KEY)
	}
	result := s.applySendMessage(c)
	if storedAny(result.GetSend()) {
		s.rememberSend(user.Id, &fsmpb.RememberedResult{
			Name: name, RequestHash: c.IdempotencyKey.RequestHash, Result: s.encode(result),
		})
	}
	return result
}

func storedAny(r *fsmpb.SendResult) bool {
	for _, m := range r.GetMessages() {
		if m.Error == nil {
			return true
		}
	}
	return false
}

// rememberedSend finds the first request under a name, or returns nil.
func (s *state) rememberedSend(user uint64, name []byte) *fsmpb.RememberedResult {
	if s.scopes[user] == nil {
		return nil
	}
	place, ok := s.batch.Get(store.ResultOfKey(user, name))
	if !ok {
		return nil
	}
	key := store.ResultKey(user, binary.BigEndian.Uint64(place))
	record := &fsmpb.RememberedResults{}
	v, _ := s.batch.Get(key)
	s.decode(key, v, record)
	if len(record.Results) != 1 {
		s.corrupt(fmt.Errorf("under %q stand %d remembered results instead of one", key, len(record.Results)))
	}
	return record.Results[0]
}

func (s *state) rememberSend(user uint64, r *fsmpb.RememberedResult) {
	c := s.scopes[user]
	if c == nil {
		c = s.addScope(&fsmpb.Scope{Id: user})
	}
	for c.rec.Next-c.rec.First >= MaxIdempotencyKeys {
		s.forgetOldest(c)
	}
	place := s.remember(c, r)
	s.batch.Set(store.ResultOfKey(user, r.Name), binary.BigEndian.AppendUint64(nil, place))
}
