package transport

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const notUTF8 = "a\xffb"

// Names that members say to each other go into the log and into answers: they must be UTF-8, as protobuf asks.
func TestStringsThatAreNotUTF8AreRefused(t *testing.T) {
	for _, m := range []proto.Message{
		&clusterpb.Request{RequestId: notUTF8, Op: &clusterpb.Request_Propose{}},
		&clusterpb.Request{Op: &clusterpb.Request_Status{Status: &clusterpb.Status{Sender: &fsmpb.Member{Name: notUTF8}}}},
		&clusterpb.Request{Op: &clusterpb.Request_Read{Read: &fsmpb.Query{Principal: &fsmpb.Principal{Name: notUTF8}}}},
		&clusterpb.Response{Result: &clusterpb.Response_Status{Status: &clusterpb.StatusResult{LeaderId: notUTF8}}},
		failure(CodeOverloaded, notUTF8, false),
	} {
		if _, err := encodeItem(m, 1, 0); err == nil {
			t.Errorf("%v was encoded", m)
		}
	}
	for _, f := range []interface {
		proto.Message
		MarshalVT() ([]byte, error)
	}{
		&clusterpb.RequestFrame{Requests: []*clusterpb.Request{{RequestId: notUTF8, Op: &clusterpb.Request_Propose{}}}},
		&clusterpb.RequestFrame{Requests: []*clusterpb.Request{
			{Op: &clusterpb.Request_Propose{}},
			{Op: &clusterpb.Request_Status{Status: &clusterpb.Status{Sender: &fsmpb.Member{Name: notUTF8}}}},
		}},
		&clusterpb.ResponseFrame{Responses: []*clusterpb.Response{failure(CodeOverloaded, notUTF8, false)}},
	} {
		b, err := f.MarshalVT() // which does not mind
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeFrame(b, f); err == nil {
			t.Errorf("the frame %x was decoded", b)
		}
	}
}

// A frame reads the same whether generated code can read it or only protobuf.
func TestFramesAreReadAsProtobufDoes(t *testing.T) {
	for i, r := range []*clusterpb.Request{
		{RequestId: "r", Op: &clusterpb.Request_Propose{Propose: []byte("command")}},
		{Op: &clusterpb.Request_Receive{Receive: &clusterpb.Receive{Command: []byte("receive"), WaitMs: 5, Repeated: true}}},
		{Op: &clusterpb.Request_Read{Read: &fsmpb.Query{Op: &fsmpb.Query_GetKeys{GetKeys: &fsmpb.GetKeys{}}}}},
	} {
		it, err := encodeItem(r, uint64(i+1), 3)
		if err != nil {
			t.Fatal(err)
		}
		r.Id, r.TimeoutMs = uint64(i+1), 3
		tag := protowire.AppendTag(it.bytes[:len(it.bytes):len(it.bytes)], frameField, protowire.VarintType)
		for name, b := range map[string][]byte{
			"as it is": it.bytes,
			"with a number in the place of a request": protowire.AppendVarint(tag, 1),
		} {
			got := &clusterpb.RequestFrame{}
			if err := decodeFrame(b, got); err != nil || len(got.Requests) != 1 || !proto.Equal(got.Requests[0], r) {
				t.Errorf("%s: read as %v (%v), want %v", name, got, err, r)
			}
		}
		if err := decodeFrame(it.bytes[:len(it.bytes)-1], &clusterpb.RequestFrame{}); err == nil {
			t.Errorf("a frame that lacks its last byte was read")
		}
	}
}
