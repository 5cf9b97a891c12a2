package http1

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// response is the answer to the request that is being handled. It is the handler's goroutine's until that returns.
type response struct {
	conn    *conn
	header  http.Header
	request *http.Request
	body    *requestBody

	status  int           // 0: the handler has not said it
	out     *bufio.Writer // from when the header is written; nil before
	left    int64         // bytes of the body that are still to come; -1: nobody knows
	timed   bool          // the handler has set a deadline
	last    bool          // the connection ends behind it
	names   []string      // of the header, when it is written; kept for its memory
	scratch []byte
}

func (w *response) begin(r *http.Request, body *requestBody) {
	clear(w.header)
	w.request, w.body = r, body
	w.status, w.out, w.timed, w.last = 0, nil, false, r.Close
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Only the first call counts.
func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// SetWriteDeadline is used by http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.timed = true
	return w.conn.nc.SetWriteDeadline(t)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.mayHaveBody() {
		if w.request.Method == http.MethodHead {
			return len(p), nil
		}
		return 0, http.ErrBodyNotAllowed
	}
	if w.out == nil {
		if err := w.writeHeader(-1); err != nil {
			return 0, err
		}
	}
	if w.left >= 0 {
		if int64(len(p)) > w.left {
			w.last = true
			return 0, http.ErrContentLength
		}
		w.left -= int64(len(p))
	}
	return w.out.Write(p)
}

func (w *response) mayHaveBody() bool {
	return w.request.Method != http.MethodHead && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// writeHeader begins the answer. length is that of a body for which the handler names none; -1 if nobody knows.
func (w *response) writeHeader(length int64) error {
	if !w.timed {
		if err := w.SetWriteDeadline(time.Now().Add(w.conn.server.Write)); err != nil {
			return err
		}
	}
	if declared := w.header.Get("Content-Length"); declared != "" {
		var err error
		if length, err = strconv.ParseInt(declared, 10, 64); err != nil || length < 0 {
			return fmt.Errorf("answer has the Content-Length %q", declared)
		}
	} else if length >= 0 && w.mayHaveBody() {
		w.header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	w.left = length
	if !w.mayHaveBody() {
		w.left = 0
	}
	if !w.body.drop() || w.left < 0 || strings.EqualFold(w.header.Get("Connection"), "close") || w.conn.server.closing.Load() {
		w.last = true
	}
	w.body.asked = false // it would come in the middle of the answer
	switch {
	case w.last:
		w.header["Connection"] = []string{"close"}
	case w.request.ProtoMinor == 0:
		w.header["Connection"] = []string{"keep-alive"}
	}
	w.out = w.conn.server.getWriter(w.conn.nc)
	_, err := w.out.Write(w.encodeHeader())
	return err
}

// encodeHeader renders the first line and the header, in the order of the names.
func (w *response) encodeHeader() []byte {
	b := append(w.scratch[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(w.status)...)
	b = append(b, "\r\nDate: "...)
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\n"...)
	w.names = slices.AppendSeq(w.names[:0], maps.Keys(w.header))
	slices.Sort(w.names)
	for _, name := range w.names {
		for _, value := range w.header[name] {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, oneLine(value)...)
			b = append(b, "\r\n"...)
		}
	}
	w.scratch = append(b, "\r\n"...)
	return w.scratch
}

// oneLine keeps a value from becoming more than one line of the header.
func oneLine(value string) string {
	if strings.ContainsAny(value, "\r\n") {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return value
}

// end sends what the handler has written. An error means that the connection can't go on.
func (w *response) end() error {
	w.WriteHeader(http.StatusOK)
	if w.out == nil {
		if err := w.writeHeader(0); err != nil {
			return err
		}
	}
	if w.left > 0 {
		w.last = true // the client waits for more, and sees that it does not come
	}
	err := w.out.Flush()
	w.conn.server.putWriter(w.out)
	w.out, w.request, w.body = nil, nil, nil // an idle connection keeps no request
	return err
}
