package netns

import (
	"encoding/binary"
	"testing"
)

var (
	alice = [4]byte{10, 99, 0, 1}
	bob   = [4]byte{10, 99, 0, 2}
)

// data is a segment from alice's port 7000 to bob's port 40000 with a payload.
func data(t *testing.T) []byte {
	t.Helper()
	p := segment{src: alice, dst: bob, srcPort: 7000, dstPort: 40000, seq: 1_000_000}.encodeReset()
	tcp := p[ipHeader:]
	binary.BigEndian.PutUint32(tcp[8:], 2_000_000)
	tcp[13] = 0x18 // PSH, ACK
	p = append(p, "payload"...)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return p
}

func TestParseSegment(t *testing.T) {
	got, ok := parseSegment(data(t))
	want := segment{
		src: alice, dst: bob, srcPort: 7000, dstPort: 40000, seq: 1_000_000, ack: 2_000_000, payload: 7,
	}
	if !ok || got != want {
		t.Errorf("parsed %+v, %t; want %+v", got, ok, want)
	}
}

func TestParseSegmentRefusesWhatIsNone(t *testing.T) {
	udp, fragment, v6, options := data(t), data(t), data(t), data(t)
	udp[9] = 17
	fragment[7] = 1
	v6[0] = 6 << 4
	options[0] = 4<<4 | 15 // longer than the packet
	for name, p := range map[string][]byte{
		"nothing": nil, "a short one": data(t)[:30], "UDP": udp, "a fragment": fragment, "IPv6": v6, "options": options,
	} {
		if s, ok := parseSegment(p); ok {
			t.Errorf("%s was parsed as %+v", name, s)
		}
	}
}

func TestResetsCarryWhatTheirReceiversExpect(t *testing.T) {
	s, _ := parseSegment(data(t))
	toSender, toReceiver := s.resets()
	for name, c := range map[string]struct {
		packet []byte
		want   segment
	}{
		"to the sender":   {toSender, segment{src: bob, dst: alice, srcPort: 40000, dstPort: 7000, seq: 2_000_000, reset: true}},
		"to the receiver": {toReceiver, segment{src: alice, dst: bob, srcPort: 7000, dstPort: 40000, seq: 1_000_000, reset: true}},
	} {
		if got, ok := parseSegment(c.packet); !ok || got != c.want {
			t.Errorf("%s: %+v, %t; want %+v", name, got, ok, c.want)
		}
	}
}

func TestChecksum(t *testing.T) {
	// The example of a header that RFC 1071's readers know: its checksum is b861.
	header := []byte{
		0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
	}
	if got := checksum(header, 0); got != 0xb861 {
		t.Errorf("checksum %04x, want b861", got)
	}
}

func TestCutSparesOtherPortsAndResets(t *testing.T) {
	var delivered, back [][]byte
	p := newPipe(func(b []byte) { delivered = append(delivered, b) }, func(b []byte) { back = append(back, b) }, 1, 1)
	p.set(Rule{Cut: true, OnlyFrom: 7001, Reset: true})
	p.send(data(t))
	if len(delivered) != 1 || len(back) != 0 || p.counters().Cut != 0 {
		t.Fatalf("another port's packet: %d delivered, counted %+v", len(delivered), p.counters())
	}
	p.set(Rule{Cut: true, OnlyFrom: 7000, Reset: true})
	p.send(data(t))
	if len(delivered) != 2 || len(back) != 1 {
		t.Fatalf("%d delivered, %d back; want a reset each", len(delivered), len(back))
	}
	for _, b := range [][]byte{delivered[1], back[0]} {
		if s, ok := parseSegment(b); !ok || !s.reset {
			t.Errorf("%x is no reset", b)
		}
	}
	p.send(delivered[1]) // a reset of the node's own is taken, but not answered
	if c := p.counters(); c.Cut != 2 || c.Reset != 1 || len(back) != 1 {
		t.Errorf("counted %+v", c)
	}
}
