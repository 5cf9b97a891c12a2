package client

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// keyLife is how long after a try that may have had an effect a send is repeated under its key. The cluster remembers keys for
// ten minutes by its own clock, which may run a tenth fast; a try may take a while to arrive.
const keyLife = 8 * time.Minute

// SendOption changes how messages are sent.
type SendOption func(*call)

// IdempotencyKey names a send, so that it has one effect however often it is made: the same send under the same key, to the same
// queue, by the same user, stores nothing any more and returns what the first one did. A caller who writes the key down before
// sending may repeat the send after a crash. It has 1 to 128 visible ASCII characters and no spaces; another send under it is
// refused with CodeKeyReused. The cluster remembers it for 10 minutes, or until the user has used 10,000 newer keys.
//
// Without it, or with an empty one, every call has a random key of its own, under which the client itself may repeat it.
func IdempotencyKey(key string) SendOption { return func(r *call) { r.key = key } }

// WithoutIdempotencyKey spares the cluster the remembering, which costs it more than storing a small message. A try whose outcome
// is unknown is not repeated then.
func WithoutIdempotencyKey() SendOption { return func(r *call) { r.repeatable = false } }

// sendCall is a call of a send, with its key.
func sendCall(options []SendOption) (call, error) {
	r := call{repeatable: true}
	for _, o := range options {
		o(&r)
	}
	switch {
	case !r.repeatable:
		r.key = ""
	case r.key == "":
		r.key = rand.Text()
	}
	if strings.ContainsFunc(r.key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return r, fmt.Errorf("idempotency key %q: only visible ASCII characters without spaces are allowed", r.key)
	}
	return r, nil
}
