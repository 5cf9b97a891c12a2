package transport

import (
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
)

// generated are the methods that protoc-gen-go-vtproto generates. They do without reflection.
type generated interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}

// fast returns the generated code of the messages that make up the traffic, nil for others. It does not look whether
// strings are UTF-8, so it is only for messages without strings, or whose strings come out of the leader's state, where
// they were checked before they went in.
func fast(m proto.Message) generated {
	switch m := m.(type) {
	case *clusterpb.Request:
		switch m.Op.(type) {
		case *clusterpb.Request_Propose, *clusterpb.Request_Receive, *clusterpb.Request_Cancel, *clusterpb.Request_ReadRound:
			if utf8.ValidString(m.RequestId) {
				return m
			}
		}
	case *clusterpb.Response:
		switch m.Result.(type) {
		case *clusterpb.Response_Propose, *clusterpb.Response_Receive, *clusterpb.Response_ReadRound:
			return m
		}
	}
	return nil
}

func sizeOf(m proto.Message) int {
	if g := fast(m); g != nil {
		return g.SizeVT()
	}
	return proto.Size(m)
}

// appendTo appends the encoding of a message to b, which has room for it. size is what sizeOf just said.
func appendTo(b []byte, m proto.Message, size int) ([]byte, error) {
	if g := fast(m); g != nil {
		b = b[:len(b)+size]
		_, err := g.MarshalToSizedBufferVT(b[len(b)-size:])
		return b, err
	}
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
}

// decodeFrame reads a frame. Protobuf itself decides about what generated code refuses, and about a frame with other
// messages than those of the traffic.
func decodeFrame(b []byte, m proto.Message) error {
	switch f := m.(type) {
	case *clusterpb.RequestFrame:
		if f.UnmarshalVT(b) == nil && allFast(f.Requests) {
			return nil
		}
	case *clusterpb.ResponseFrame:
		if f.UnmarshalVT(b) == nil && allFast(f.Responses) {
			return nil
		}
	}
	return proto.Unmarshal(b, m)
}

func allFast[M proto.Message](messages []M) bool {
	for _, m := range messages {
		if fast(m) == nil {
			return false
		}
	}
	return true
}
