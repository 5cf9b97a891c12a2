package netns

import (
	"encoding/binary"
	"net/netip"
)

const (
	ipHeader     = 20 // bytes, without options
	tcpHeader    = 20 // bytes, without options
	protocolTCP  = 6
	flagReset    = 0x04
	packetLife   = 64
	resetPacket  = ipHeader + tcpHeader
	moreFragment = 0x3fff // the bits of the flags field that only fragments have
)

// destination is where an IPv4 packet goes. Anything else, such as the kernel's search for IPv6 routers, goes nowhere.
func destination(p []byte) (to netip.Addr, ok bool) {
	if len(p) < ipHeader || p[0]>>4 != 4 {
		return to, false
	}
	return netip.AddrFrom4([4]byte(p[16:20])), true
}

// segment is what Rule asks of a TCP packet.
type segment struct {
	src, dst         [4]byte
	srcPort, dstPort uint16
	seq, ack         uint32
	reset            bool
	payload          int // bytes
}

// parseSegment reads the headers of an IPv4 packet that carries TCP.
func parseSegment(p []byte) (s segment, ok bool) {
	if _, ok := destination(p); !ok || p[9] != protocolTCP || binary.BigEndian.Uint16(p[6:])&moreFragment != 0 {
		return s, false
	}
	head := int(p[0]&0xf) * 4
	total := min(len(p), int(binary.BigEndian.Uint16(p[2:])))
	if head < ipHeader || total < head+tcpHeader {
		return s, false
	}
	t := p[head:total]
	return segment{
		src: [4]byte(p[12:16]), dst: [4]byte(p[16:20]),
		srcPort: binary.BigEndian.Uint16(t), dstPort: binary.BigEndian.Uint16(t[2:]),
		seq: binary.BigEndian.Uint32(t[4:]), ack: binary.BigEndian.Uint32(t[8:]),
		reset: t[13]&flagReset != 0, payload: max(0, len(t)-int(t[12]>>4)*4),
	}, true
}

// resets returns the packets that end the connection of a segment that was taken: to the one that sent it and to the one
// that waits for it. Each carries the number that its receiver expects next, without which it would not be believed.
func (s segment) resets() (toSender, toReceiver []byte) {
	back := segment{src: s.dst, dst: s.src, srcPort: s.dstPort, dstPort: s.srcPort, seq: s.ack}
	return back.encodeReset(), s.encodeReset()
}

func (s segment) encodeReset() []byte {
	p := make([]byte, resetPacket)
	p[0] = 4<<4 | ipHeader/4
	binary.BigEndian.PutUint16(p[2:], resetPacket)
	p[8], p[9] = packetLife, protocolTCP
	copy(p[12:], s.src[:])
	copy(p[16:], s.dst[:])
	binary.BigEndian.PutUint16(p[10:], checksum(p[:ipHeader], 0))
	t := p[ipHeader:]
	binary.BigEndian.PutUint16(t, s.srcPort)
	binary.BigEndian.PutUint16(t[2:], s.dstPort)
	binary.BigEndian.PutUint32(t[4:], s.seq)
	t[12], t[13] = tcpHeader/4<<4, flagReset
	// TCP's checksum covers the addresses, protocol and length as well.
	binary.BigEndian.PutUint16(t[16:], checksum(t, sum(p[12:20])+protocolTCP+tcpHeader))
	return p
}

// checksum is the Internet's: of b, whose length is even, and of what was summed before.
func checksum(b []byte, before uint32) uint16 {
	s := before + sum(b)
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

func sum(b []byte) (s uint32) {
	for i := 0; i < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	return s
}
