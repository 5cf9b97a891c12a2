package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"
)

// answerTimeout bounds one exchange; a node answers within 5 s, one way or the other.
const answerTimeout = 15 * time.Second

// maxAnswerBytes bounds an answer: ten messages of the largest size, with room for escapes.
const maxAnswerBytes = 4 << 20

// rawConn is one keep-alive HTTP/1.1 connection with one request at a time. The load generator shares the processors with
// the nodes it measures, and net/http's client would cost more than the server's whole handler.
type rawConn struct {
	hosts []string // HOST:PORT of every node
	next  int      // index into hosts of the node to dial
	conn  net.Conn
	br    *bufio.Reader
	out   []byte // the request under construction, reused
	body  []byte // the last answer's body, reused
}

func newRawConn(urls []string, first int) (*rawConn, error) {
	c := &rawConn{next: first % len(urls)}
	for _, u := range urls {
		parsed, err := url.Parse(u)
		if err != nil || parsed.Scheme != "http" || parsed.Port() == "" {
			return nil, fmt.Errorf("--url %q: want http://HOST:PORT", u)
		}
		c.hosts = append(c.hosts, parsed.Host)
	}
	return c, nil
}

// post sends one request and returns the status and the answer's body, which is valid until the next call. After an error
// the next call connects to the next node.
func (c *rawConn) post(ctx context.Context, path, token string, body []byte) (status int, answer []byte, err error) {
	if c.conn == nil {
		if err := c.dial(ctx); err != nil {
			return 0, nil, err
		}
	}
	keep := false
	defer func() {
		if err != nil {
			c.next = (c.next + 1) % len(c.hosts)
		}
		if !keep {
			c.close()
		}
	}()
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(c.request(path, token, body)); err != nil {
		return 0, nil, err
	}
	status, keep, err = c.readAnswer()
	return status, c.body, err
}

func (c *rawConn) dial(ctx context.Context) error {
	d := net.Dialer{Timeout: answerTimeout}
	conn, err := d.DialContext(ctx, "tcp", c.hosts[c.next])
	if err != nil {
		c.next = (c.next + 1) % len(c.hosts)
		return err
	}
	c.conn, c.br = conn, bufio.NewReader(conn)
	return nil
}

func (c *rawConn) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// request puts head and body into one buffer, so that they leave in one packet.
func (c *rawConn) request(path, token string, body []byte) []byte {
	b := append(c.out[:0], "POST "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.hosts[c.next]...)
	b = append(b, "\r\nAuthorization: Bearer "...)
	b = append(b, token...)
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	c.out = append(b, body...)
	return c.out
}

// head is what matters of an answer's head.
type head struct {
	length  int // -1: unknown
	chunked bool
	keep    bool // the connection stays open
}

// readAnswer reads one answer into c.body.
func (c *rawConn) readAnswer() (status int, keep bool, err error) {
	line, err := c.br.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, false, fmt.Errorf("no HTTP/1.1 answer: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, false, fmt.Errorf("status line: %w", err)
	}
	h, err := c.readHead()
	if err != nil {
		return 0, false, err
	}
	return status, h.keep, c.readBody(h)
}

func (c *rawConn) readHead() (head, error) {
	h := head{length: -1, keep: true}
	for {
		line, err := c.br.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return h, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if h.length, err = strconv.Atoi(string(value)); err != nil {
				return h, fmt.Errorf("Content-Length: %w", err)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			h.chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			h.keep = !bytes.EqualFold(value, []byte("close"))
		}
	}
}

func (c *rawConn) readBody(h head) (err error) {
	switch {
	case h.chunked:
		c.body, err = io.ReadAll(io.LimitReader(httputil.NewChunkedReader(c.br), maxAnswerBytes))
		if err == nil {
			// The chunked reader leaves the line after the last chunk.
			_, err = c.br.ReadSlice('\n')
		}
		return err
	case h.length < 0 || h.length > maxAnswerBytes:
		return errors.New("answer has no usable length")
	}
	if cap(c.body) < h.length {
		c.body = make([]byte, h.length)
	}
	c.body = c.body[:h.length]
	_, err = io.ReadFull(c.br, c.body)
	return err
}
