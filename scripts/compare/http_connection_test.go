package main

import (
	"bufio"
	"errors"
	"strings"
	"testing"
)

var errTest = errors.New("as the test wants it")

func TestReadAnswerReadsOneAnswerAndNoMore(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\ncontent-length: 2\r\n\r\nabHTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"))
	for _, want := range []struct {
		status int
		body   string
	}{{200, "ab"}, {429, ""}} {
		status, body, err := readAnswer(r, nil)
		if err != nil || status != want.status || string(body) != want.body {
			t.Fatalf("answer: %d %q %v, want %d %q", status, body, err, want.status, want.body)
		}
	}
	if _, _, err := readAnswer(r, nil); err == nil {
		t.Error("an answer where the connection has ended")
	}
}

func TestReadAnswerRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for _, text := range []string{
		"", "HTTP/1.1 2", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		if status, body, err := readAnswer(bufio.NewReader(strings.NewReader(text)), nil); err == nil {
			t.Errorf("%q was read as %d %q", text, status, body)
		}
	}
}

func TestTheHandlesOfTenMessagesAreKeptForTheNextReceive(t *testing.T) {
	c := &fastQueueConnection{}
	message := func(handle string) string {
		return `{"MessageId":"1","Body":"b","Attributes":{},"ReceiptHandle":"` + handle + `"},`
	}
	first := `{"Messages":[` + strings.TrimSuffix(strings.Repeat(message("AA"), ten-1)+message("BB"), ",") + `]}`
	if err := c.keepHandles([]byte(first)); err != nil || len(c.handles) != ten || string(c.handles[ten-1]) != "BB" {
		t.Fatalf("handles %q, %v", c.handles, err)
	}
	deleted := func(n int) string {
		return `,"DeleteResults":[` + strings.Repeat(`{"ReceiptHandle":"AA","Deleted":true},`, n) + `{}]}`
	}
	second := strings.TrimSuffix(first, "}")
	if err := c.keepHandles([]byte(second + deleted(ten))); err != nil || len(c.handles) != ten {
		t.Errorf("%d handles, %v", len(c.handles), err)
	}
	if err := c.keepHandles([]byte(second + deleted(ten-1))); err == nil {
		t.Error("a message that was not deleted was not noticed")
	}
	if err := c.keepHandles([]byte(`{"Messages":[` + message("AA") + `]` + deleted(ten))); err == nil {
		t.Error("one message in place of ten was not noticed")
	}
}
