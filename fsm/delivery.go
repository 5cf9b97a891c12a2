package fsm

import "encoding/binary"

// delivery is the changing part of a message. It is a small record of its own, so that a receive rewrites 20 bytes and
// never the body.
type delivery struct {
	size   uint32 // bytes of the content, so that a receive can bound its answer without reading bodies
	number uint32 // of the last delivery, 0 before the first; what a receipt must match
	count  uint32 // receives that count
	first  int64  // time of the first receive, ms; 0 before it
	until  int64  // when the lease or the delay ends, ms; 0 while ready
	leased bool   // tells a lease from a delay
}

func (d delivery) encode() []byte {
	b := make([]byte, 0, 24)
	b = binary.AppendUvarint(b, uint64(d.size))
	b = binary.AppendUvarint(b, uint64(d.number))
	b = binary.AppendUvarint(b, uint64(d.count))
	b = binary.AppendUvarint(b, uint64(d.first))
	b = binary.AppendUvarint(b, uint64(d.until))
	if d.leased {
		return append(b, 1)
	}
	return append(b, 0)
}

// decodeDelivery reads what encode wrote; false means that the bytes are something else.
func decodeDelivery(b []byte) (delivery, bool) {
	var fields [5]uint64
	for i := range fields {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return delivery{}, false
		}
		fields[i], b = v, b[n:]
	}
	if len(b) != 1 || b[0] > 1 {
		return delivery{}, false
	}
	return delivery{
		size:   uint32(fields[0]),
		number: uint32(fields[1]),
		count:  uint32(fields[2]),
		first:  int64(fields[3]),
		until:  int64(fields[4]),
		leased: b[0] == 1,
	}, true
}
