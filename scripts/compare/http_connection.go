package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
)

// maxAnswerBytes bounds an answer's body.
const maxAnswerBytes = 1 << 20

// httpConnection is a keep-alive HTTP/1.1 connection with one request under way. It shares the processors with the servers
// that it loads, and net/http's client would cost more than their handlers.
type httpConnection struct {
	conn net.Conn
	r    *bufio.Reader
	body []byte // of the last answer
}

// dialHTTP connects; the connection breaks when ctx ends.
func dialHTTP(ctx context.Context, address string) (*httpConnection, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return &httpConnection{conn: conn, r: bufio.NewReader(conn)}, nil
}

// exchange writes a whole request and returns the body of a 2xx answer, which is good until the next call.
func (c *httpConnection) exchange(request []byte) ([]byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	status, body, err := readAnswer(c.r, c.body[:0])
	if err != nil {
		return nil, err
	}
	c.body = body
	if status/100 != 2 {
		return nil, fmt.Errorf("status %d: %.200s", status, body)
	}
	return body, nil
}

// readAnswer reads one answer and appends its body, whose length the answer must tell, to body.
func readAnswer(r *bufio.Reader, body []byte) (status int, _ []byte, err error) {
	line, err := readLine(r)
	if err != nil {
		return 0, nil, fmt.Errorf("status line: %w", err)
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, fmt.Errorf("no HTTP/1.1 answer: %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, fmt.Errorf("status line: %w", err)
	}
	length, err := readHeader(r)
	if err != nil {
		return 0, nil, err
	}
	start := len(body)
	body = append(body, make([]byte, length)...)
	if _, err := io.ReadFull(r, body[start:]); err != nil {
		return 0, nil, fmt.Errorf("body: %w", err)
	}
	return status, body, nil
}

// readHeader reads to the end of the header and returns the body's length.
func readHeader(r *bufio.Reader) (length int, err error) {
	length = -1
	for {
		line, err := readLine(r)
		if err != nil {
			return 0, fmt.Errorf("header: %w", err)
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
			return 0, fmt.Errorf("Content-Length: %w", err)
		}
	}
	if length < 0 || length > maxAnswerBytes {
		return 0, fmt.Errorf("Content-Length is missing or out of range: %d", length)
	}
	return length, nil
}

// readLine returns the next line without its end; it is good until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}
