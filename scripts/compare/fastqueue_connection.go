package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
)

// ten is how many messages a batch has: the most that FastQueue takes in one request.
const ten = 10

// fastQueueConnection knows its requests in advance, but for the handles of the messages that it deletes.
type fastQueueConnection struct {
	http       *httpConnection
	head       []byte // of every request, up to the value of Content-Length
	sendOne    []byte
	sendBatch  []byte
	receiveOne []byte
	request    []byte   // under construction
	content    []byte   // body of the request under construction
	handles    [][]byte // of the ten messages that the next receive deletes
}

func newFastQueueConnection(http *httpConnection, address, path, key string) *fastQueueConnection {
	c := &fastQueueConnection{
		http: http,
		head: fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\nContent-Length: ", path, address, key),
	}
	body := newBody()
	c.sendOne = c.append(nil, fmt.Appendf(nil, `{"Action":"SendMessage","MessageBody":"%s"}`, body))
	batch := []byte(`{"Action":"SendMessageBatch","Entries":[`)
	for i := range ten {
		batch = fmt.Appendf(batch, `{"Id":"%d","MessageBody":"%s"},`, i, body)
	}
	batch = append(bytes.TrimSuffix(batch, []byte(",")), "]}"...)
	c.sendBatch = c.append(nil, batch)
	c.receiveOne = c.append(nil, []byte(`{"Action":"ReceiveMessage","WaitTimeSeconds":5}`))
	return c
}

// append adds a request with this body to b.
func (c *fastQueueConnection) append(b, body []byte) []byte {
	b = append(b, c.head...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}

func (c *fastQueueConnection) send(context.Context) error {
	_, err := c.http.exchange(c.sendOne)
	return err
}

func (c *fastQueueConnection) sendTen(context.Context) error {
	answer, err := c.http.exchange(c.sendBatch)
	if err == nil && !bytes.Contains(answer, []byte(`"Failed":[]`)) {
		err = fmt.Errorf("not all of a batch was sent: %.200s", answer)
	}
	return err
}

func (c *fastQueueConnection) loop(ctx context.Context) error {
	if err := c.send(ctx); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	answer, err := c.http.exchange(c.receiveOne)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	handle, _, ok := nextHandle(answer)
	if !ok {
		return errors.New("receive: no message though one was sent before")
	}
	c.content = append(c.content[:0], `{"Action":"DeleteMessage","ReceiptHandle":"`...)
	c.content = append(c.content, handle...)
	c.content = append(c.content, `"}`...)
	c.request = c.append(c.request[:0], c.content)
	if _, err := c.http.exchange(c.request); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// loopTen deletes what the loop before has received in the same call that receives the next ten.
func (c *fastQueueConnection) loopTen(ctx context.Context) error {
	if err := c.sendTen(ctx); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	c.content = append(c.content[:0], `{"Action":"ReceiveMessage","MaxNumberOfMessages":10,"WaitTimeSeconds":5`...)
	for i, handle := range c.handles {
		if i == 0 {
			c.content = append(c.content, `,"DeleteReceiptHandles":["`...)
		} else {
			c.content = append(c.content, `","`...)
		}
		c.content = append(c.content, handle...)
	}
	if len(c.handles) > 0 {
		c.content = append(c.content, `"]`...)
	}
	c.content = append(c.content, '}')
	c.request = c.append(c.request[:0], c.content)
	answer, err := c.http.exchange(c.request)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	return c.keepHandles(answer)
}

// keepHandles remembers what was received, and fails if it was not ten or what came before was not deleted.
func (c *fastQueueConnection) keepHandles(answer []byte) error {
	messages, deleted, _ := bytes.Cut(answer, []byte(`"DeleteResults"`))
	if done := bytes.Count(deleted, []byte(`"Deleted":true`)); done != len(c.handles) {
		return fmt.Errorf("receive: %d of %d messages were deleted", done, len(c.handles))
	}
	n := 0
	for handle, rest, ok := nextHandle(messages); ok; handle, rest, ok = nextHandle(rest) {
		if n == len(c.handles) {
			c.handles = append(c.handles, nil)
		}
		c.handles[n] = append(c.handles[n][:0], handle...)
		n++
	}
	c.handles = c.handles[:n]
	if n != ten {
		return fmt.Errorf("receive: %d messages in place of ten", n)
	}
	return nil
}

func (c *fastQueueConnection) close() { c.http.conn.Close() }

// nextHandle finds the first receipt handle in an answer, and what follows it. Bodies are ours and hold no such name.
func nextHandle(answer []byte) (handle, rest []byte, ok bool) {
	const name = `"ReceiptHandle":"`
	at := bytes.Index(answer, []byte(name))
	if at < 0 {
		return nil, nil, false
	}
	return bytes.Cut(answer[at+len(name):], []byte(`"`))
}
