package fsm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

const (
	receiptFields = 8 + 8 + 4 // queue, sequence, delivery
	receiptMAC    = 8
)

// Receipts writes and reads the ReceiptHandles that clients see: the delivery that a handle names and 64 bits of
// HMAC-SHA256 under the cluster's receipt key, so that it can't be guessed or written by hand. To make one costs as much as
// three handles. One goroutine uses it at a time.
type Receipts struct {
	mac  hash.Hash
	used bool
}

// NewReceipts makes one for a key.
func NewReceipts(key []byte) *Receipts { return &Receipts{mac: hmac.New(sha256.New, key)} }

// Encode renders a receipt as a ReceiptHandle.
func (c *Receipts) Encode(r *fsmpb.Receipt) string {
	var b [receiptFields + receiptMAC]byte
	binary.BigEndian.PutUint64(b[0:], r.GetQueue())
	binary.BigEndian.PutUint64(b[8:], r.GetSequence())
	binary.BigEndian.PutUint32(b[16:], r.GetDelivery())
	copy(b[receiptFields:], c.sum(b[:receiptFields]))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Decode reads a ReceiptHandle; false means that this cluster never gave it out.
func (c *Receipts) Decode(handle string) (*fsmpb.Receipt, bool) {
	if len(handle) != base64.RawURLEncoding.EncodedLen(receiptFields+receiptMAC) {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(handle)
	// The decoder skips line breaks, so the length of what it decodes counts too.
	if err != nil || len(b) != receiptFields+receiptMAC || !hmac.Equal(b[receiptFields:], c.sum(b[:receiptFields])) {
		return nil, false
	}
	return &fsmpb.Receipt{
		Queue:    binary.BigEndian.Uint64(b[0:]),
		Sequence: binary.BigEndian.Uint64(b[8:]),
		Delivery: binary.BigEndian.Uint32(b[16:]),
	}, true
}

func (c *Receipts) sum(fields []byte) []byte {
	if c.used { // the first Reset costs as much as two sums
		c.mac.Reset()
	}
	c.used = true
	c.mac.Write(fields)
	return c.mac.Sum(nil)[:receiptMAC]
}

// MessageID renders the place of a message, its queue's incarnation and its sequence, in the shape of a UUID.
func MessageID(queue, sequence uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[0:], queue)
	binary.BigEndian.PutUint64(b[8:], sequence)
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	s[8] = '-'
	hex.Encode(s[9:13], b[4:6])
	s[13] = '-'
	hex.Encode(s[14:18], b[6:8])
	s[18] = '-'
	hex.Encode(s[19:23], b[8:10])
	s[23] = '-'
	hex.Encode(s[24:36], b[10:16])
	return string(s[:])
}
