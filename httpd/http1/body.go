package http1

import (
	"io"
	"time"
)

// requestBody is the body of a request that is being handled.
type requestBody struct {
	io.ReadCloser
	conn  *conn
	asked bool // the client waits for "100 Continue" before it sends it
	ended bool
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.asked {
		b.asked = false
		if err := b.conn.goOn(); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.ended {
		b.ended = true
		b.conn.watch.bodyEnded()
	}
	return n, err
}

// goOn has the client send the body.
func (c *conn) goOn() error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.server.Write)); err != nil {
		return err
	}
	_, err := io.WriteString(c.nc, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

// drop reads what the handler left of the body and tells whether that was all: then another request can follow.
func (b *requestBody) drop() bool {
	if !b.ended && !b.asked {
		_, _ = io.CopyN(io.Discard, b, maxUnread) // its end is noted by Read
	}
	return b.ended
}
