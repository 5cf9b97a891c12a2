package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// maxAnswerBytes bounds what is read of one answer. A receive carries at most 1 MiB of messages, which JSON escapes
// may make six times as long; the list of all queues of a big cluster is longer.
const maxAnswerBytes = 32 << 20

// The pauses between two rounds over the nodes.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = time.Second
)

// call is one request, before it is known which node gets it.
type call struct {
	method, path string
	in           any           // encoded as JSON when not nil
	out          any           // decoded from JSON when not nil
	header       *http.Header  // receives the answer's header when not nil
	wait         time.Duration // how much longer than usual the answer may take
	repeatable   bool          // a second effect is harmless, or the key prevents it
	key          string        // Idempotency-Key; empty: none
	anonymous    bool          // carries no token
	id           string        // what the logs call it

	attempt time.Duration // the longest time of one try, where that is shorter than the client's; 0: the client's
	lastTry time.Time     // no further try begins after it; zero: any may

	authorization string // the Authorization header, if it is not the session's

	doubt time.Time // when the first try began that may have had an effect; zero: none has
}

// do is carryOut for calls of which nothing is asked afterwards.
func (c *Client) do(ctx context.Context, r call) error { return c.carryOut(ctx, &r) }

// carryOut carries out a call: on the node that answered last, and on the next ones while that cannot repeat an effect. What one
// of the tries may have done stays unknown, whatever the last one says.
func (c *Client) carryOut(ctx context.Context, r *call) error {
	err := c.tryAsUser(ctx, r)
	if e, ok := errors.AsType[*Error](err); ok && r.unsure() {
		e.Outcome = Unknown
	}
	return err
}

// unsure says that a try may have had an effect that matters: reads have none, and what a login leaves behind ends by itself.
func (r *call) unsure() bool { return !r.doubt.IsZero() && r.method != http.MethodGet && !r.anonymous }

// tryAsUser tries a call with the session's credential, and with a new one when that is refused. The call gets the id under which
// the nodes' logs have it, the same for every try.
func (c *Client) tryAsUser(ctx context.Context, r *call) error {
	r.id = rand.Text()
	var body []byte
	if r.in != nil {
		var err error
		if body, err = json.Marshal(r.in); err != nil {
			return fmt.Errorf("request: %w", err)
		}
	}
	if r.anonymous || r.authorization != "" {
		return c.tryPatiently(ctx, r, body, r.authorization)
	}
	token, err := c.Token(ctx)
	if err != nil {
		return err
	}
	err = c.tryPatiently(ctx, r, body, bearer(token))
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusUnauthorized || c.sessions.fixed {
		return err
	}
	if token, err = c.Renew(ctx, token); err != nil {
		return err
	}
	return c.tryPatiently(ctx, r, body, bearer(token))
}

func bearer(token string) string { return "Bearer " + token }

// tryPatiently makes rounds over the nodes while another one can't repeat an effect and the client's patience lasts.
func (c *Client) tryPatiently(ctx context.Context, r *call, body []byte, authorization string) error {
	end := time.Now().Add(c.patience)
	if !r.lastTry.IsZero() && r.lastTry.Before(end) {
		end = r.lastTry
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := c.tryNodes(ctx, r, body, authorization)
		if !mayGoElsewhere(ctx, r, err) || time.Until(end) < pause {
			return err
		}
		if !sleep(ctx, pause) {
			return err
		}
	}
}

// sleep waits, and says whether ctx lasted as long.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tryNodes makes one round over the nodes, beginning with the one that answered last. When none of them helps it returns the
// error that says most.
func (c *Client) tryNodes(ctx context.Context, r *call, body []byte, authorization string) error {
	first := c.current.Load()
	var vain []*Error
	for i := range c.bases {
		node, began := (int(first)+i)%len(c.bases), time.Now()
		leaving, err := c.attempt(ctx, r, c.bases[node], body, authorization)
		if e, ok := errors.AsType[*Error](err); ok {
			if e.Outcome == Unknown && r.doubt.IsZero() {
				r.doubt = began
			}
			if mayGoElsewhere(ctx, r, err) {
				vain = append(vain, e)
				continue
			}
		}
		if leaving {
			node = (node + 1) % len(c.bases)
		}
		if node != int(first) {
			c.current.Store(uint32(node))
		}
		return err
	}
	return mostTelling(vain)
}

// mostTelling is what a round in vain comes to: a node that answers knows more than a connection that failed, and of several the
// last one.
func mostTelling(vain []*Error) error {
	told := vain[len(vain)-1]
	unreached := 0
	for _, e := range vain {
		if e.Status == 0 {
			unreached++
			continue
		}
		told = e
	}
	told.Asked, told.Unreached = len(vain), unreached
	return told
}

// mayGoElsewhere says whether another node should be asked: the present one, or a proxy before it, cannot help, and asking again
// has no second effect.
func mayGoElsewhere(ctx context.Context, r *call, err error) bool {
	var e *Error
	if !errors.As(err, &e) || ctx.Err() != nil || !r.lastTry.IsZero() && time.Now().After(r.lastTry) {
		return false
	}
	switch e.Status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return false
	}
	if r.doubt.IsZero() {
		return true
	}
	return r.repeatable && (r.key == "" || time.Since(r.doubt) < keyLife)
}

// attempt sends the request to one node and reads the answer. A node that is leaving, since it is about to stop, says so
// with "Connection: close": the next request goes to another one. net/http sends a POST or a DELETE a second time by itself only
// when the first one never reached the connection.
func (c *Client) attempt(ctx context.Context, r *call, base string, body []byte, authorization string) (leaving bool, err error) {
	timeout := c.timeout + r.wait
	if r.attempt > 0 {
		timeout = min(timeout, r.attempt)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.method, base+r.path, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	request.Header.Set("X-Request-Id", r.id)
	if r.key != "" {
		// In this spelling, which is as good to a node, net/http does not see a request that it may send again by itself: when it does
		// and can't connect, its error looks as if nothing had been sent.
		request.Header["idempotency-key"] = []string{r.key}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return false, networkError(err, r.id)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return false, networkError(err, r.id)
	}
	if r.header != nil {
		*r.header = response.Header
	}
	return response.Close, decode(response, answer, r.out)
}

// decode turns an answer into the caller's value or into an Error.
func decode(response *http.Response, answer []byte, out any) error {
	if response.StatusCode >= 300 {
		var b errorBody
		if err := json.Unmarshal(answer, &b); err != nil {
			b = errorBody{Detail: "the answer is not FastQueue's: " + http.StatusText(response.StatusCode)}
		}
		return refusal(response.StatusCode, response.Header, &b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return &Error{Status: response.StatusCode, Code: "bad_answer", Detail: "the answer is not FastQueue's: " + err.Error(), Outcome: Unknown, Err: err}
	}
	return nil
}

// networkError makes the Error of a request without an answer. Only a connection that was never made is sure to have
// carried nothing.
func networkError(err error, requestID string) *Error {
	outcome := Unknown
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		outcome = NotApplied
	}
	return &Error{Detail: err.Error(), Outcome: outcome, RequestID: requestID, Err: err}
}
