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
	repeatable   bool          // a second effect is harmless
	anonymous    bool          // carries no token
	id           string        // what the logs call it

	attempt time.Duration // the longest time of one try, where that is shorter than the client's; 0: the client's
	lastTry time.Time     // no further try begins after it; zero: any may

	authorization string // the Authorization header, if it is not the session's
}

// do carries out a call and gives it the id under which the nodes' logs have it, the same for every try: on the node that answered last, and on the next ones while that cannot repeat an effect.
func (c *Client) do(ctx context.Context, r call) error {
	r.id = rand.Text()
	var body []byte
	if r.in != nil {
		var err error
		if body, err = json.Marshal(r.in); err != nil {
			return fmt.Errorf("request: %w", err)
		}
	}
	if r.anonymous || r.authorization != "" {
		return c.tryPatiently(ctx, &r, body, r.authorization)
	}
	token, err := c.Token(ctx)
	if err != nil {
		return err
	}
	err = c.tryPatiently(ctx, &r, body, bearer(token))
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusUnauthorized || c.sessions.fixed {
		return err
	}
	if token, err = c.Renew(ctx, token); err != nil {
		return err
	}
	return c.tryPatiently(ctx, &r, body, bearer(token))
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
		node := (int(first) + i) % len(c.bases)
		leaving, err := c.attempt(ctx, r, c.bases[node], body, authorization)
		if e, ok := errors.AsType[*Error](err); ok && mayGoElsewhere(ctx, r, err) {
			vain = append(vain, e)
			continue
		}
		if leaving {
			node = (node + 1) % len(c.bases)
		}
		if node != int(first) {
			c.current.Store(uint32(node))
		}
		return err
	}
	return mostTelling(vain, r.method == http.MethodGet)
}

// mostTelling is what a round in vain comes to: a node that answers knows more than a connection that failed, and of several the
// last one. What one of the nodes may have done stays unknown, whatever the others say, unless the request only reads.
func mostTelling(vain []*Error, reads bool) error {
	told := vain[len(vain)-1]
	unknown, unreached := false, 0
	for _, e := range vain {
		unknown = unknown || e.Outcome == Unknown
		if e.Status == 0 {
			unreached++
			continue
		}
		told = e
	}
	if unknown && !reads {
		told.Outcome = Unknown
	}
	told.Asked, told.Unreached = len(vain), unreached
	return told
}

// mayGoElsewhere says whether another node should be asked: the present one cannot help, and asking again has no second
// effect.
func mayGoElsewhere(ctx context.Context, r *call, err error) bool {
	var e *Error
	if !errors.As(err, &e) || ctx.Err() != nil || !r.lastTry.IsZero() && time.Now().After(r.lastTry) {
		return false
	}
	if e.Status != 0 && e.Status != http.StatusServiceUnavailable {
		return false
	}
	return r.repeatable || e.Outcome == NotApplied
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
