package httpd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/fastqueue/fastqueue/cluster"
)

const (
	// maxBodyBytes bounds the body of a message request: JSON escapes may make a message of 1 MiB six times as long.
	maxBodyBytes = 8 << 20
	// maxSmallBodyBytes bounds the body of every other request, and of callers who have not proved who they are.
	maxSmallBodyBytes = 64 << 10
	// firstBodyBytes is what a body gets at first, whatever length it announces; it is doubled as the bytes come.
	firstBodyBytes = 4 << 10
	// maxDiscardBytes bounds what is read of a refused request so that its client sees the answer.
	maxDiscardBytes = 32 << 20
)

// Why a body is not read to its end.
var (
	errBodyTooLarge = errors.New("body too large")
	errBodiesFull   = errors.New("too many bodies are held")
)

// maxBodyOf bounds the body of a request to a row of the route table.
func maxBodyOf(rt *route) int64 {
	if rt.path == messagePath {
		return maxBodyBytes
	}
	return maxSmallBodyBytes
}

// bodyBudget bounds the memory for the bodies of all requests together. Strangers, who have proved nothing yet, get a part
// of it: they can shut out each other, but nobody with a token or an API key.
type bodyBudget struct {
	max, maxStrangers int64        // bytes
	held              atomic.Int64 // bytes, those of strangers included
	strangers         atomic.Int64
}

// take pays for n bytes. If they do not fit, nothing is paid.
func (b *bodyBudget) take(n int64, proved bool) bool {
	if b.held.Add(n) > b.max {
		b.held.Add(-n)
		return false
	}
	if !proved && b.strangers.Add(n) > b.maxStrangers {
		b.strangers.Add(-n)
		b.held.Add(-n)
		return false
	}
	return true
}

// heldBody is one body in memory.
type heldBody struct {
	budget *bodyBudget
	proved bool
	prove  func() error // looks up an API key, which costs a read; nil: there is nothing to look up
	paid   int64        // bytes
}

// readBody reads the request's body into b. The caller releases the body when its bytes are not used any more, also after an
// error.
func (s *Server) readBody(rt *route, r *request, b *bytes.Buffer) (*heldBody, error) {
	body := &heldBody{budget: &s.bodies, proved: r.proof == byToken}
	if r.apiKey != nil {
		body.prove = func() error { return s.checkKey(r) }
	}
	if e := r.http.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return body, &apiError{code: codeUnsupportedEncoding, detail: "The body must not be compressed: send it without Content-Encoding."}
	}
	most := maxBodyOf(rt)
	err := body.read(r.http.Body, b, r.http.ContentLength, most)
	r.body = b.Bytes()
	return body, bodyError(err, most)
}

// read reads a body of at most most bytes; declared is its length, or -1. Memory is paid for before it is taken.
func (h *heldBody) read(from io.Reader, b *bytes.Buffer, declared, most int64) error {
	size := int64(firstBodyBytes)
	switch {
	case declared > most:
		return errBodyTooLarge
	case declared > maxSmallBodyBytes:
		if err := h.becomeProved(); err != nil {
			return err
		}
	case declared >= 0:
		size = min(size, declared+1) // one more to see the end
	}
	for ; ; size = min(2*size, most) {
		if err := h.pay(size); err != nil {
			return err
		}
		b.Grow(int(size) - b.Len())
		ended, err := fill(b, int(size), from)
		switch {
		case err != nil || ended:
			return err
		case size == most:
			return expectEnd(from)
		}
	}
}

// expectEnd reads on where a body must not go on.
func expectEnd(from io.Reader) error {
	switch _, err := io.ReadFull(from, make([]byte, 1)); err {
	case nil:
		return errBodyTooLarge
	case io.EOF:
		return nil
	default:
		return err
	}
}

// fill reads until b has size bytes or there are no more.
func fill(b *bytes.Buffer, size int, from io.Reader) (ended bool, err error) {
	for b.Len() < size {
		free := b.AvailableBuffer()
		n, err := from.Read(free[:size-b.Len()])
		b.Write(free[:n])
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// pay has size bytes in all paid for. An API key is looked up when the body grows too big for a stranger's, or strangers
// have no room.
func (h *heldBody) pay(size int64) error {
	if size > maxSmallBodyBytes {
		if err := h.becomeProved(); err != nil {
			return err
		}
	}
	more := size - h.paid
	if !h.budget.take(more, h.proved) {
		if h.proved {
			return errBodiesFull
		}
		if err := h.becomeProved(); err != nil {
			return err
		}
		if !h.budget.take(more, true) {
			return errBodiesFull
		}
	}
	h.paid = size
	return nil
}

// becomeProved makes the body that of a known caller, if it is one.
func (h *heldBody) becomeProved() error {
	if h.proved {
		return nil
	}
	if h.prove == nil {
		return errBodiesFull
	}
	if err := h.prove(); err != nil {
		return err
	}
	h.proved = true
	h.budget.strangers.Add(-h.paid)
	return nil
}

// release gives back what the body took, once nobody uses its bytes any more.
func (h *heldBody) release() {
	h.budget.held.Add(-h.paid)
	if !h.proved {
		h.budget.strangers.Add(-h.paid)
	}
}

func bodyError(err error, most int64) error {
	var e *apiError
	switch {
	case err == nil, errors.As(err, &e):
		return err
	case errors.Is(err, errBodyTooLarge):
		return &apiError{code: codeBodyTooLarge, detail: fmt.Sprintf("The body must be at most %d bytes.", most)}
	case errors.Is(err, errBodiesFull):
		return &apiError{code: cluster.CodeOverloaded, detail: "This node holds as many bytes of requests as it may. Try again later, or with another node.", cause: err}
	}
	return &apiError{code: codeBodyUnreadable, detail: "The body did not arrive completely.", cause: err}
}

// discardBody reads what is left of a refused request's body, because many clients read no answer before they have sent
// everything: they would see a broken connection instead. A client that waits for "100 Continue" has not sent anything.
func discardBody(r *request) {
	if r.http.Header.Get("Expect") != "" || r.http.ContentLength > maxDiscardBytes {
		return // the connection ends behind the answer
	}
	// An error is one of the connection, which the answer then meets as well.
	_, _ = io.CopyN(io.Discard, r.http.Body, maxDiscardBytes)
}
