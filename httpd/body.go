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
	// maxBodyBytes bounds the body of a request: JSON escapes may make a message of 1 MiB six times as long.
	maxBodyBytes = 8 << 20
	// maxDiscardBytes bounds what is read of a refused request so that its client sees the answer.
	maxDiscardBytes = 32 << 20
)

// Why a body is not read to its end.
var (
	errBodyTooLarge = errors.New("body too large")
	errBodiesFull   = errors.New("too many bodies are held")
)

// bodyBudget bounds the memory for the bodies of all requests together: an API key is not proved before its request is
// applied, so anybody can send bodies.
type bodyBudget struct {
	max  int64
	held atomic.Int64 // bytes
}

// bodyReader reads one body within the limits.
type bodyReader struct {
	body   io.Reader
	budget *bodyBudget
	read   int64
}

// Read implements io.Reader.
func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.read += int64(n)
	switch held := b.budget.held.Add(int64(n)); {
	case b.read > maxBodyBytes:
		return n, errBodyTooLarge
	case held > b.budget.max:
		return n, errBodiesFull
	}
	return n, err
}

// release gives back what the body took, once nobody uses its bytes any more.
func (b *bodyReader) release() { b.budget.held.Add(-b.read) }

// readBody reads the request's body into b. The caller releases the reader when the body is not used any more, also after
// an error.
func (s *Server) readBody(r *request, b *bytes.Buffer) (*bodyReader, error) {
	body := &bodyReader{body: r.http.Body, budget: &s.bodies}
	if e := r.http.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return body, &apiError{code: codeUnsupportedEncoding, detail: "The body must not be compressed: send it without Content-Encoding."}
	}
	n, err := r.http.ContentLength, error(nil)
	switch {
	case n > maxBodyBytes:
		err = errBodyTooLarge
	case n > 0 && n <= maxKeptBuffer:
		b.Grow(int(n) + bytes.MinRead)
		fallthrough
	default:
		_, err = b.ReadFrom(body)
	}
	r.body = b.Bytes()
	return body, bodyError(err)
}

func bodyError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errBodyTooLarge):
		return &apiError{code: codeBodyTooLarge, detail: fmt.Sprintf("The body must be at most %d bytes.", maxBodyBytes)}
	case errors.Is(err, errBodiesFull):
		return &apiError{code: cluster.CodeOverloaded, detail: "This node holds as many bytes of requests as it may. Try again later, or with another node.", cause: err}
	}
	return &apiError{code: codeBodyUnreadable, detail: "The body did not arrive completely.", cause: err}
}

// discardBody reads what is left of a refused request's body, because many clients read no answer before they have sent
// everything: they would see a broken connection instead. A client that waits for "100 Continue" has not sent anything.
func discardBody(r *request) {
	if r.http.Header.Get("Expect") != "" || r.http.ContentLength > maxDiscardBytes {
		return // net/http closes the connection behind the answer
	}
	// An error is one of the connection, which the answer then meets as well.
	_, _ = io.CopyN(io.Discard, r.http.Body, maxDiscardBytes)
}
