package fsm

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// message is a message of fsmpb with the methods that protoc-gen-go-vtproto generates. They do without reflection, and
// they do not look whether strings are UTF-8. Nothing here needs that: all strings of the state come from commands, and
// who lets commands into the log has protobuf itself look at them: a member when it encodes one of its own, a leader with
// Known or when it decodes a receive. Their bytes are those of protobuf's deterministic encoding, fields in the order of
// their numbers.
type message interface {
	proto.Message
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
	UnmarshalVT([]byte) error
	UnmarshalVTUnsafe([]byte) error
}

// Known tells whether an encoded command is one that this version can apply. A leader asks before it puts a command of
// another member into the log, where one that is unknown or damaged anywhere would stop every replica.
func Known(command []byte) bool {
	c := &fsmpb.Command{}
	return proto.Unmarshal(command, c) == nil && c.Op != nil
}

// decode reads what is in the log or the store. Generated code refuses more than protobuf does, such as a known field of
// another type, so protobuf has the last word.
func decode(b []byte, m message) error {
	if m.UnmarshalVT(b) == nil {
		return nil
	}
	return proto.Unmarshal(b, m)
}

// decodeShared is decode whose strings and bytes are parts of b, which must not change: whatever keeps one of them keeps all
// of b.
func decodeShared(b []byte, m message) error {
	if m.UnmarshalVTUnsafe(b) == nil {
		return nil
	}
	return proto.Unmarshal(b, m)
}

// decodeCommand reads a command of a log entry. Those that come often have parts of the entry, of which nothing remains when
// they are applied; the others have copies.
func decodeCommand(b []byte) (*fsmpb.Command, error) {
	c := &fsmpb.Command{}
	if err := decodeShared(b, c); err != nil {
		return nil, err
	}
	switch c.Op.(type) {
	case *fsmpb.Command_SendMessage, *fsmpb.Command_ReceiveMessage, *fsmpb.Command_DeleteMessage:
		return c, nil
	}
	c = &fsmpb.Command{}
	return c, decode(b, c)
}

// appendTo appends the encoding of a message.
func appendTo(b []byte, m message) ([]byte, error) {
	start, size := len(b), m.SizeVT()
	b = slices.Grow(b, size)[:start+size]
	if _, err := m.MarshalToSizedBufferVT(b[start:]); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return b, nil
}

// encode renders a record. The messages have no maps, so equal records have equal bytes.
func (s *state) encode(m message) []byte {
	b, err := appendTo(nil, m)
	if err != nil {
		s.corrupt(err)
	}
	return b
}

// decode reads a record that this package wrote.
func (s *state) decode(key, value []byte, m message) {
	if err := decode(value, m); err != nil {
		s.corrupt(fmt.Errorf("record under %q: %w", string(key), err)) // a copy: see Batch.read
	}
}
