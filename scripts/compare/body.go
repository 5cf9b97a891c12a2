package main

import "bytes"

// bodyBytes is the size of every message's body.
const bodyBytes = 256

// newBody returns a body that is plain text, so that it needs no escape in JSON.
func newBody() []byte {
	return bytes.Repeat([]byte("fastqueue compares; "), bodyBytes/20+1)[:bodyBytes]
}
