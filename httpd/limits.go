package httpd

import (
	"cmp"
	"time"
)

// Limits bound what one connection, and all of them together, may take.
type Limits struct {
	ReadHeader  time.Duration // from the first byte of a request to the end of its header
	Read        time.Duration // to the end of its body
	Write       time.Duration // of an answer that sets no time of its own
	Idle        time.Duration // between two requests
	HeaderBytes int           // 4 KiB more may pass; then it is 431, in plain text
	Connections int           // more wait in the kernel's queue until one ends
	Answer      time.Duration // to write an answer, and a tenth of it more for each MiB
	BodyBytes   int64         // bodies of all requests in progress together, a quarter of it for strangers; more are refused as overloaded
	AnswerBytes int64         // answers that are encoded or written together, a quarter of it for small ones; more wait a moment, then are overloaded
}

func (l Limits) orDefaults() Limits {
	return Limits{
		ReadHeader:  cmp.Or(l.ReadHeader, 10*time.Second),
		Read:        cmp.Or(l.Read, 30*time.Second),
		Write:       cmp.Or(l.Write, 90*time.Second),
		Idle:        cmp.Or(l.Idle, 120*time.Second),
		HeaderBytes: cmp.Or(l.HeaderBytes, 32<<10),
		Connections: cmp.Or(l.Connections, 20_000),
		Answer:      cmp.Or(l.Answer, 10*time.Second),
		BodyBytes:   cmp.Or(l.BodyBytes, 256<<20),
		AnswerBytes: cmp.Or(l.AnswerBytes, 256<<20),
	}
}
