package httpd

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/fsm"
)

// meaning is how a code looks on the wire.
type meaning struct {
	status int
	detail string // shown when the error brings none of its own
}

// meaningOf is the one table of codes and statuses. A code that is not in it is this package's fault: status 500.
func meaningOf(code string) meaning {
	switch code {
	case fsm.CodeInvalid:
		return meaning{http.StatusBadRequest, "A field or a parameter is missing or not allowed."}
	case codeInvalidJSON:
		return meaning{http.StatusBadRequest, "The body is not one valid JSON object."}
	case codeMessageTooLong:
		return meaning{http.StatusBadRequest, "The messages of one request are too long together."}
	case codeBodyUnreadable:
		return meaning{http.StatusBadRequest, "The body did not arrive completely."}

	case fsm.CodeUnauthenticated:
		return meaning{http.StatusUnauthorized, "The access token or API key is missing or no longer valid. Log in again."}
	case codeTokenExpired:
		return meaning{http.StatusUnauthorized, "The access token has expired. Refresh it or log in again."}
	case codeInvalidCredentials:
		return meaning{http.StatusUnauthorized, "Wrong username or password."}
	case fsm.CodeUserChanged:
		return meaning{http.StatusUnauthorized, "The user was changed meanwhile. Try again with the present password."}
	case fsm.CodeRefreshInvalid:
		return meaning{http.StatusUnauthorized, "The refresh token is no longer valid. Log in again."}
	case fsm.CodeRefreshReused:
		return meaning{http.StatusUnauthorized, "The refresh token was used before, so its log-in was ended. Log in again."}
	case fsm.CodeForbidden:
		return meaning{http.StatusForbidden, "This needs the admin role."}
	case codeRegistrationClosed:
		return meaning{http.StatusForbidden, "Registration is closed: admins make the users."}

	case fsm.CodeQueueNotFound:
		return meaning{http.StatusNotFound, "Queue not found."}
	case fsm.CodeMessageNotFound:
		return meaning{http.StatusNotFound, "Message not found. It was deleted before, or the handle is not of this queue."}
	case fsm.CodeReceiptSuperseded:
		return meaning{http.StatusNotFound, "The message was received again since. Only the newest handle deletes it."}
	case fsm.CodeUserNotFound:
		return meaning{http.StatusNotFound, "User not found."}
	case fsm.CodeAPIKeyNotFound:
		return meaning{http.StatusNotFound, "API key not found."}
	case fsm.CodeJoinTokenNotFound:
		return meaning{http.StatusNotFound, "Join token not found."}
	case cluster.CodeMemberNotFound:
		return meaning{http.StatusNotFound, "Member not found."}
	case codeNotFound:
		return meaning{http.StatusNotFound, "There is nothing at this path."}
	case codeMethodNotAllowed:
		return meaning{http.StatusMethodNotAllowed, "This path does not take this method."}

	case fsm.CodeQueueExists:
		return meaning{http.StatusConflict, "Queue with the given name already exists."}
	case fsm.CodeKeyReused:
		return meaning{http.StatusConflict, "The Idempotency-Key was used for another request to this queue. Use a new one for every request."}
	case fsm.CodeMessageNotLeased:
		return meaning{http.StatusConflict, "The lease of the message has ended. Receive it again."}
	case fsm.CodeUserExists:
		return meaning{http.StatusConflict, "User with the given name already exists."}
	case fsm.CodeLastAdmin:
		return meaning{http.StatusConflict, "This is the last user with the role admin. Give that role to another user first."}
	case fsm.CodeLimitReached: // also cluster.CodeLimitReached
		return meaning{http.StatusConflict, "A limit of this cluster is reached."}
	case cluster.CodeMajorityAtRisk:
		return meaning{http.StatusConflict, "The cluster could lose its majority by this."}

	case codeBodyTooLarge:
		return meaning{http.StatusRequestEntityTooLarge, "The body is too large."}
	case codeUnsupportedEncoding:
		return meaning{http.StatusUnsupportedMediaType, "The body must not be compressed."}
	case fsm.CodeQueueFull:
		return meaning{http.StatusTooManyRequests, "The queue is full. Receive and delete messages, or raise max_length."}
	case codeBusy:
		return meaning{http.StatusTooManyRequests, "Too many requests of this kind wait. Try again later."}

	case cluster.CodeNoLeader:
		return meaning{http.StatusServiceUnavailable, "The cluster has no leader at the moment. Try again."}
	case cluster.CodeOverloaded:
		return meaning{http.StatusServiceUnavailable, "Too many requests wait. Try again later."}
	case cluster.CodeTimeout:
		return meaning{http.StatusServiceUnavailable, "The cluster did not answer in time. Try again."}
	case cluster.CodeDiskLow:
		return meaning{http.StatusInsufficientStorage, "The disks of a majority are nearly full: nothing can be sent. Receive and delete messages, or make room."}
	}
	return meaning{http.StatusInternalServerError, "Internal error. The server's log has the reason under this request id."}
}

// later says that the same request may succeed later: the answer carries Retry-After.
func (m meaning) later() bool {
	return m.status == http.StatusTooManyRequests || m.status == http.StatusServiceUnavailable || m.status == http.StatusInsufficientStorage
}

// text is what the client reads. The texts of two codes are part of the API, word for word.
func (m meaning) text(code, detail string) string {
	if detail == "" || m.status == http.StatusInternalServerError || code == fsm.CodeQueueExists || code == fsm.CodeQueueNotFound {
		return m.detail
	}
	return detail
}

// What becomes of a write that is not answered with success.
const (
	outcomeNotApplied = "not_applied"
	outcomeUnknown    = "unknown"
)

// page is an answer that is no JSON.
type page struct {
	contentType string
	encoding    string // Content-Encoding; empty: none
	policy      string // Content-Security-Policy; empty: none
	body        []byte
	own         bool // made for one answer, so that it counts as the answer's memory
}

// errorBody is the JSON of every answer that is no success.
type errorBody struct {
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
	Outcome   string `json:"outcome,omitempty"` // of writes: not_applied or unknown
}

// answer is a response that has not been written yet.
type answer struct {
	status     int
	retryAfter time.Duration // 0: no header
	next       string        // URL of the next page of a list; empty: no header
	replayed   bool          // it was given before, to the same request
	value      any           // nil: no body
}

// answerTo makes the answer of a handler's two results.
func answerTo(value any, err error, rt *route, requestID string) answer {
	if err != nil {
		return answerError(err, requestID, rt.kind == write)
	}
	if r, ok := value.(readiness); ok && !r.ready() {
		return answer{status: http.StatusServiceUnavailable, value: value}
	}
	if list, ok := value.(listAnswer); ok {
		return answer{status: rt.success, value: list.value, next: list.next}
	}
	if rt.success == http.StatusNoContent {
		value = nil
	}
	return answer{status: rt.success, value: value}
}

// answerError makes the answer to a failed request. The text of an error without a code is only for the log.
func answerError(err error, requestID string, isWrite bool) answer {
	e := &apiError{code: codeInternal, unknown: true}
	errors.As(err, &e)
	m := meaningOf(e.code)
	body := errorBody{Detail: m.text(e.code, e.detail), Code: e.code, RequestID: requestID}
	if m.status == http.StatusInternalServerError {
		body.Code = codeInternal
	}
	if isWrite {
		body.Outcome = outcomeNotApplied
		if e.unknown {
			body.Outcome = outcomeUnknown
		}
	}
	a := answer{status: m.status, value: body}
	if m.later() {
		a.retryAfter = max(e.retryAfter, time.Second)
	}
	return a
}

// reply answers a request with a handler's two results. The error that it returns is the handler's, or why there was another
// answer than the handler's.
func (s *Server) reply(w http.ResponseWriter, rt *route, r *request, value any, err error) (answer, error) {
	defer r.held.release()
	b := s.buffers.get()
	defer s.buffers.put(b)
	a := answerTo(value, err, rt, r.id)
	a.replayed = r.replayed && err == nil
	text, encodeErr := s.encode(b, rt, r, a)
	if encodeErr != nil {
		b.Reset()
		err = encodeErr
		a = answerTo(nil, err, rt, r.id)
		text, _ = s.encode(b, rt, r, a) // an error's three texts, which can be encoded and are short
	}
	if writeErr := s.respond(w, a, text); writeErr != nil {
		s.logger.Debug("answer not written", "request_id", r.id, "error", writeErr)
		if errors.Is(writeErr, os.ErrDeadlineExceeded) {
			s.metrics.slowClients.Inc()
		}
	}
	return a, err
}

// encode makes an answer's body, in b unless it is a page. What a handler did not pay for is paid for here; only reads can be
// refused for it, since what other requests did is done, and their answers are short.
func (s *Server) encode(b *bytes.Buffer, rt *route, r *request, a answer) ([]byte, error) {
	text, own := []byte(nil), true
	switch v := a.value.(type) {
	case nil:
		return nil, nil
	case page:
		text, own = v.body, v.own
	default:
		b.Grow(int(r.held.text))
		if err := json.MarshalWrite(b, v); err != nil {
			return nil, &apiError{code: codeInternal, unknown: true, cause: fmt.Errorf("encode answer: %w", err)}
		}
		b.WriteByte('\n') // for people at a terminal
		text = b.Bytes()
	}
	if own && rt.kind == read && r.held.share == nil {
		return text, s.answers.pay(r.ctx, &r.held, int64(cap(text)))
	}
	return text, nil
}

// respond writes an answer with its body, if it has one. An error means that the client did not get it.
func (s *Server) respond(w http.ResponseWriter, a answer, body []byte) error {
	h := w.Header()
	if s.node.Draining() {
		h["Connection"] = []string{"close"}
	}
	if a.retryAfter > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(int64((a.retryAfter+time.Second-1)/time.Second), 10)}
	}
	if a.next != "" {
		h["Link"] = []string{"<" + a.next + `>; rel="next"`}
	}
	if a.replayed {
		h[replayedHeader] = []string{"true"}
	}
	if a.status == http.StatusUnauthorized {
		h["Www-Authenticate"] = []string{"Bearer"}
	}
	if a.value == nil {
		w.WriteHeader(a.status)
		return nil
	}
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if p, ok := a.value.(page); ok {
		p.describe(h)
	}
	err := s.timeToWrite(w, len(body))
	w.WriteHeader(a.status)
	_, writeErr := w.Write(body)
	return errors.Join(err, writeErr)
}

// timeToWrite bounds how long a client that reads slowly may hold the memory of an answer.
func (s *Server) timeToWrite(w http.ResponseWriter, size int) error {
	d := s.limits.Answer
	d += time.Duration(int64(d/10) * int64(size) >> 20)
	err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("connection deadline: %w", err)
	}
	return nil
}

// describe sets the headers of a page.
func (p page) describe(h http.Header) {
	h["Content-Type"] = []string{p.contentType}
	if p.encoding != "" {
		h["Content-Encoding"] = []string{p.encoding}
	}
	if p.policy != "" {
		h["Content-Security-Policy"] = []string{p.policy}
	}
}
