package fsm

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// TestWhatIsKnownIsDecoded: Known asks protobuf, so decode must read all that protobuf reads, and as protobuf does.
func TestWhatIsKnownIsDecoded(t *testing.T) {
	create := encode(&fsmpb.Command{
		Principal: &fsmpb.Principal{User: 1},
		Op:        &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{Name: "q"}},
	})
	number := func(field protowire.Number) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), 1)
	}
	for name, more := range map[string][]byte{
		"nothing":                       nil,
		"a field of a newer version":    number(1_000),
		"a number instead of a session": number(2),
		"a group instead of a session":  protowire.AppendGroup(protowire.AppendTag(nil, 2, protowire.StartGroupType), 2, nil),
		"the operation in two parts": protowire.AppendBytes(protowire.AppendTag(nil, 30, protowire.BytesType),
			encode(&fsmpb.CreateQueue{Settings: &fsmpb.QueueSettings{MaxLength: 7}})),
		"another operation": encode(&fsmpb.Command{Op: &fsmpb.Command_Tick{}}),
	} {
		b := append(create[:len(create):len(create)], more...)
		want, got := &fsmpb.Command{}, &fsmpb.Command{}
		if err := proto.Unmarshal(b, want); err != nil || !Known(b) {
			t.Fatalf("%s: protobuf does not read it: %v", name, err)
		}
		if err := decode(b, got); err != nil || !proto.Equal(got, want) {
			t.Errorf("%s: read as %v (%v), want %v", name, got, err, want)
		}
	}
	for _, b := range [][]byte{create[:len(create)-1], {0xff}, append(create[:len(create):len(create)], 0x12, 0x7f)} {
		if err := decode(b, &fsmpb.Command{}); err == nil {
			t.Errorf("the damaged command %x was read", b)
		}
	}
}
