package clusterpb_test

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"pgregory.net/rapid"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// generated are the methods that protoc-gen-go-vtproto generates beside protobuf's own.
type generated interface {
	proto.Message
	SizeVT() int
	MarshalVT() ([]byte, error)
	UnmarshalVT([]byte) error
}

// TestGeneratedCodeDoesWhatProtobufDoes fills every kind of message, also with fields that a newer version added, and
// encodes and decodes it both ways. Then it damages the encoding: whatever both ways can read, they read alike.
func TestGeneratedCodeDoesWhatProtobufDoes(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{fsmpb.File_fsm_fsmpb_fsm_proto, clusterpb.File_cluster_clusterpb_cluster_proto} {
		for i := range file.Messages().Len() {
			d := file.Messages().Get(i)
			kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
			if err != nil {
				t.Fatal(err)
			}
			t.Run(string(d.FullName()), rapid.MakeCheck(func(t *rapid.T) {
				m := kind.New()
				fill(t, m)
				want := protobufs(t, m.Interface())
				got, err := m.Interface().(generated).MarshalVT()
				if err != nil || !bytes.Equal(got, want) || m.Interface().(generated).SizeVT() != len(want) {
					t.Fatalf("%v is encoded as %x (%v), want %x", m, got, err, want)
				}
				decodeBothWays(t, kind, want)
				decodeBothWays(t, kind, damaged(t, want))
			}))
		}
	}
}

// protobufs is the encoding by protobuf itself.
func protobufs(t *rapid.T, m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decodeBothWays compares what became of bytes, unless one way refuses them: protobuf knows strings that are not UTF-8
// and numbers that are too large, generated code known fields of another type. Protobuf shortens the tags of unknown
// fields, which nobody writes longer than they need be; so what generated code read goes through it once.
func decodeBothWays(t *rapid.T, kind protoreflect.MessageType, b []byte) {
	want, got := kind.New().Interface(), kind.New().Interface().(generated)
	if proto.Unmarshal(b, want) != nil || got.UnmarshalVT(b) != nil {
		return
	}
	again := kind.New().Interface()
	if err := proto.Unmarshal(protobufs(t, got), again); err != nil || !proto.Equal(again, want) || !bytes.Equal(protobufs(t, again), protobufs(t, want)) {
		t.Fatalf("%x is decoded as %v (%v), want %v", b, got, err, want)
	}
}

// damaged changes a byte or cuts the end off.
func damaged(t *rapid.T, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	b = bytes.Clone(b)
	at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
	if rapid.Bool().Draw(t, "cut") {
		return b[:at]
	}
	b[at] = rapid.Byte().Draw(t, "byte")
	return b
}

// fill sets fields of a message at random, and those below it.
func fill(t *rapid.T, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		n := rapid.IntRange(0, 2).Draw(t, string(f.Name()))
		switch {
		case f.IsList():
			for range n {
				list := m.Mutable(f).List()
				list.Append(value(t, f, list.NewElement))
			}
		case n > 0:
			m.Set(f, value(t, f, func() protoreflect.Value { return m.NewField(f) }))
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
		m.SetUnknown([]byte{0xfa, 0x3e, 1, 'x'}) // number 1007
	}
}

func value(t *rapid.T, f protoreflect.FieldDescriptor, empty func() protoreflect.Value) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.MessageKind:
		v := empty()
		fill(t, v.Message())
		return v
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(t, "string"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.Int32().Draw(t, "enum")))
	}
	panic(fmt.Sprintf("this test does not fill fields of kind %v yet", f.Kind()))
}
