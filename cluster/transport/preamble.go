package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The preamble, first bytes of every connection inside TLS; numbers are big-endian:
//
//	magic "FQCP" | version 1 | service 1 | group 4 | cluster id | sender id | receiver id    (each: length 1, bytes)
//
// and its answer:
//
//	magic "FQCA" | code 1 | text (length 1, bytes)
//
// Nothing of the service is sent before the answer has come, nor read before the preamble was accepted.
const (
	preambleMagic   = "FQCP"
	answerMagic     = "FQCA"
	protocolVersion = 1
	maxText         = 255
)

// service is what a connection is for.
type service uint8

const (
	serviceRaft service = 1
	serviceRPC  service = 2
	serviceJoin service = 3
)

func (s service) String() string {
	switch s {
	case serviceRaft:
		return "raft"
	case serviceRPC:
		return "rpc"
	case serviceJoin:
		return "join"
	default:
		return fmt.Sprintf("service %d", uint8(s))
	}
}

// preamble names both ends of a connection. For join, which knows neither id nor cluster, the names are empty.
type preamble struct {
	service  service
	group    uint32
	cluster  string
	sender   string
	receiver string
}

// errVersion is answered, unlike bytes that are no preamble at all.
type errVersion uint8

func (v errVersion) Error() string {
	return fmt.Sprintf("protocol version %d is not spoken here, only %d: run the same release on both nodes", uint8(v), protocolVersion)
}

// errNotPreamble means that the other side is no FastQueue; it gets no answer.
var errNotPreamble = errors.New("not a FastQueue connection")

// encode returns the bytes of p. Names longer than 255 bytes are an error.
func (p preamble) encode() ([]byte, error) {
	b := append([]byte(preambleMagic), protocolVersion, byte(p.service))
	b = binary.BigEndian.AppendUint32(b, p.group)
	for _, name := range []string{p.cluster, p.sender, p.receiver} {
		if len(name) > maxText {
			return nil, fmt.Errorf("encode preamble: the name %.40q... is longer than %d bytes", name, maxText)
		}
		b = append(b, byte(len(name)))
		b = append(b, name...)
	}
	return b, nil
}

// readPreamble reads exactly one preamble from r and no byte more.
func readPreamble(r io.Reader) (preamble, error) {
	var head [len(preambleMagic) + 1]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return preamble{}, fmt.Errorf("read preamble: %w", err)
	}
	if string(head[:len(preambleMagic)]) != preambleMagic {
		return preamble{}, errNotPreamble
	}
	if v := head[len(preambleMagic)]; v != protocolVersion {
		return preamble{}, errVersion(v)
	}
	var fixed [5]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return preamble{}, fmt.Errorf("read preamble: %w", err)
	}
	p := preamble{service: service(fixed[0]), group: binary.BigEndian.Uint32(fixed[1:])}
	for _, name := range []*string{&p.cluster, &p.sender, &p.receiver} {
		text, err := readText(r)
		if err != nil {
			return preamble{}, fmt.Errorf("read preamble: %w", err)
		}
		*name = text
	}
	return p, nil
}

func readText(r io.Reader) (string, error) {
	var b [maxText]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return "", err
	}
	n := int(b[0])
	if _, err := io.ReadFull(r, b[:n]); err != nil {
		return "", err
	}
	return string(b[:n]), nil
}

// answerCode is the first word of the server.
type answerCode uint8

const (
	answerOK      answerCode = 0
	answerRefused answerCode = 1
	answerBusy    answerCode = 2 // the service exists, try again later
)

// refusal is an answer other than ok.
type refusal struct {
	code answerCode
	text string
}

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) *refusal {
	return &refusal{code: answerRefused, text: fmt.Sprintf(format, args...)}
}

// writeAnswer accepts the connection when r is nil.
func writeAnswer(w io.Writer, r *refusal) error {
	code, text := answerOK, ""
	if r != nil {
		code, text = r.code, r.text[:min(len(r.text), maxText)]
	}
	b := append([]byte(answerMagic), byte(code), byte(len(text)))
	if _, err := w.Write(append(b, text...)); err != nil {
		return fmt.Errorf("answer preamble: %w", err)
	}
	return nil
}

// readAnswer returns nil when the connection was accepted and a *refusal when it was not.
func readAnswer(r io.Reader) error {
	var head [len(answerMagic) + 1]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if string(head[:len(answerMagic)]) != answerMagic {
		return errNotPreamble
	}
	text, err := readText(r)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if code := answerCode(head[len(answerMagic)]); code != answerOK {
		return &refusal{code: code, text: text}
	}
	return nil
}
