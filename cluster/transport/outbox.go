package transport

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	// maxFrame is how much a writer puts into one frame; a single larger message is a frame of its own.
	maxFrame = 512 << 10
	// maxMessage bounds one message and with it every frame, in bytes.
	maxMessage = 16 << 20
	// maxQueued bounds what waits for one peer, in bytes.
	maxQueued = 64 << 20

	// Field numbers in cluster.proto.
	frameField     = protowire.Number(1) // of RequestFrame and ResponseFrame
	idField        = protowire.Number(1) // of Request and Response
	timeoutMsField = protowire.Number(2) // of Request
)

// item is one encoded message of a frame, its tag and length included.
type item struct {
	id     uint64
	bytes  []byte
	oneWay bool // has no response
}

// encodeItem encodes m as a member of a frame. The id and the timeout are appended to the bytes instead of being set in
// m (in protobuf the last value counts), so that m stays the caller's: it may be sent again at once, or to others.
func encodeItem(m proto.Message, id uint64, timeoutMs int64) (item, error) {
	size := sizeOf(m)
	inner := size + 1 + protowire.SizeVarint(id)
	if timeoutMs > 0 {
		inner += 1 + protowire.SizeVarint(uint64(timeoutMs))
	}
	if inner > maxMessage-16 {
		return item{}, fmt.Errorf("message of %d bytes is longer than %d", inner, maxMessage-16)
	}
	b := make([]byte, 0, 1+protowire.SizeVarint(uint64(inner))+inner)
	b = protowire.AppendTag(b, frameField, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(inner))
	b, err := appendTo(b, m, size)
	if err != nil {
		return item{}, fmt.Errorf("encode message: %w", err)
	}
	b = protowire.AppendTag(b, idField, protowire.VarintType)
	b = protowire.AppendVarint(b, id)
	if timeoutMs > 0 {
		b = protowire.AppendTag(b, timeoutMsField, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(timeoutMs))
	}
	return item{id: id, bytes: b}, nil
}

// outbox holds what waits to be written to one stream. Its owner's mutex guards it.
type outbox struct {
	items []item
	bytes int
	wake  chan struct{} // holds a token while items may be waiting
}

func newOutbox() outbox { return outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) push(it item) {
	o.items = append(o.items, it)
	o.bytes += len(it.bytes)
	select {
	case o.wake <- struct{}{}:
	default: // the writer has not yet looked since the last token
	}
}

// take moves the items of the next frame to the end of batch.
func (o *outbox) take(batch []item) []item {
	n, size := 0, 0
	for n < len(o.items) && (n == 0 || size+len(o.items[n].bytes) <= maxFrame) {
		size += len(o.items[n].bytes)
		n++
	}
	batch = append(batch, o.items[:n]...)
	o.bytes -= size
	if n == len(o.items) {
		clear(o.items)
		o.items = o.items[:0]
		return batch
	}
	clear(o.items[:n])
	o.items = o.items[n:]
	return batch
}

// frame is a RequestFrame or ResponseFrame whose bytes are ready: a repeated field is its members one after the other.
type frame struct{ bytes []byte }

func newFrame(items []item) *frame {
	size := 0
	for _, it := range items {
		size += len(it.bytes)
	}
	f := &frame{bytes: make([]byte, 0, size)}
	for _, it := range items {
		f.bytes = append(f.bytes, it.bytes...)
	}
	return f
}

// frameCodec is gRPC's protobuf encoding, with frames written as they are.
type frameCodec struct{}

// Name is that of the standard encoding, which the bytes are.
func (frameCodec) Name() string { return "proto" }

func (frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("encode frame: unexpected type %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(f.bytes)}, nil
}

func (frameCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("decode frame: unexpected type %T", v)
	}
	b := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer b.Free()
	return decodeFrame(b.ReadOnlyData(), m) // copies what it keeps
}
