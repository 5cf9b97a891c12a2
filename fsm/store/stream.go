package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"regexp"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/store/storepb"
)

// The stream of a state, numbers big-endian:
//
//	magic, 8 bytes | version, 4 | length of the manifest, 4 | manifest | CRC-32C of all before, 4
//	for each file of the manifest: its bytes | CRC-32C of them, 4
//
// Its length is known before the first byte is sent, and nothing follows the last checksum.
const (
	streamMagic   = "FQSTATE\n"
	streamVersion = 1
	streamHead    = len(streamMagic) + 8
	crcBytes      = 4

	// maxManifest allows for about 100,000 files, some terabytes of state.
	maxManifest = 8 << 20
)

// plainName matches the names that Pebble gives its files: no directory, no dot in front.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // computed once inside the library

// encodeHead returns the bytes before the first file.
func encodeHead(m *storepb.Manifest) ([]byte, error) {
	body, err := proto.Marshal(m)
	if err != nil {
		return nil, wrap("encode manifest", err)
	}
	if len(body) > maxManifest {
		return nil, fmt.Errorf("encode manifest: %d files make %d bytes, more than %d", len(m.Files), len(body), maxManifest)
	}
	b := append([]byte{}, streamMagic...)
	b = binary.BigEndian.AppendUint32(b, streamVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crcTable())), nil
}

// decodeFixedHead checks the first streamHead bytes and returns the length of the manifest.
func decodeFixedHead(b []byte) (int, error) {
	if string(b[:len(streamMagic)]) != streamMagic {
		return 0, streamError("it is no FastQueue state")
	}
	if v := binary.BigEndian.Uint32(b[len(streamMagic):]); v != streamVersion {
		return 0, streamError("its format is %d and this version reads %d only", v, streamVersion)
	}
	n := binary.BigEndian.Uint32(b[len(streamMagic)+4:])
	if n > maxManifest {
		return 0, streamError("its manifest has %d bytes, more than %d", n, maxManifest)
	}
	return int(n), nil
}

// decodeManifest checks the whole head, checksum included, and returns the manifest. b holds no more than the head.
func decodeManifest(b []byte) (*storepb.Manifest, error) {
	sum := len(b) - crcBytes
	if crc32.Checksum(b[:sum], crcTable()) != binary.BigEndian.Uint32(b[sum:]) {
		return nil, streamError("its manifest is damaged")
	}
	m := &storepb.Manifest{}
	if err := proto.Unmarshal(b[streamHead:sum], m); err != nil {
		return nil, streamError("its manifest is damaged: %w", err)
	}
	return m, validateManifest(m)
}

// validateManifest refuses names that could leave the directory, doubles and impossible sizes.
func validateManifest(m *storepb.Manifest) error {
	seen := make(map[string]bool, len(m.Files))
	total := uint64(0)
	for _, f := range m.Files {
		if !plainName.MatchString(f.Name) || seen[f.Name] {
			return streamError("its manifest names the file %q", f.Name)
		}
		seen[f.Name] = true
		if f.Size > math.MaxInt64-total {
			return streamError("its files are larger than any disk")
		}
		total += f.Size
	}
	return nil
}

// target takes the files of a stream.
type target interface {
	accept(*storepb.Manifest) error // called first; may refuse
	create(name string) error
	write(p []byte) error // to the file created last
	finish() error        // that file is complete and its checksum right
}

// decoder takes a stream in pieces of any size and gives its files to the target. It holds at most the head in memory.
type decoder struct {
	t        target
	buf      []byte // of the part that has to be complete before it means something
	want     int    // length of that part
	head     bool   // the head's length is known
	manifest *storepb.Manifest
	file     int    // index of the present file
	open     bool   // its body is being received
	left     uint64 // bytes missing in it
	sum      uint32
	err      error // sticky
}

func newDecoder(t target) *decoder { return &decoder{t: t, want: streamHead} }

var errSurplus = errors.New("bytes follow its end")

// Write takes the next piece. After an error it repeats that error.
func (d *decoder) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && d.err == nil {
		p, d.err = d.step(p)
	}
	if d.err != nil {
		return 0, d.err
	}
	return n, nil
}

// step takes what it can from p and returns the rest.
func (d *decoder) step(p []byte) ([]byte, error) {
	if d.done() {
		return nil, streamError("%w", errSurplus)
	}
	if d.open && d.left > 0 {
		return d.body(p)
	}
	take := min(len(p), d.want-len(d.buf))
	d.buf = append(d.buf, p[:take]...)
	if len(d.buf) < d.want {
		return nil, nil
	}
	return p[take:], d.part()
}

// part looks at a complete part in buf: the fixed head, the whole head, or a file's checksum.
func (d *decoder) part() error {
	switch {
	case !d.head:
		n, err := decodeFixedHead(d.buf)
		d.head, d.want = true, streamHead+n+crcBytes
		return err
	case d.manifest == nil:
		m, err := decodeManifest(d.buf)
		if err != nil {
			return err
		}
		if err := d.t.accept(m); err != nil {
			return err
		}
		d.manifest = m
		return d.next()
	default:
		if binary.BigEndian.Uint32(d.buf) != d.sum {
			return streamError("its file %s is damaged", d.manifest.Files[d.file].Name)
		}
		if err := d.t.finish(); err != nil {
			return err
		}
		d.file++
		return d.next()
	}
}

// next begins the file at index d.file, if there is one.
func (d *decoder) next() error {
	d.buf, d.want, d.sum, d.open = d.buf[:0], crcBytes, 0, false
	if d.done() {
		return nil
	}
	f := d.manifest.Files[d.file]
	d.open, d.left = true, f.Size
	return d.t.create(f.Name)
}

// body passes on bytes of the present file.
func (d *decoder) body(p []byte) ([]byte, error) {
	take := p[:min(uint64(len(p)), d.left)]
	d.sum = crc32.Update(d.sum, crcTable(), take)
	d.left -= uint64(len(take))
	return p[len(take):], d.t.write(take)
}

// done tells whether the whole stream has arrived.
func (d *decoder) done() bool { return d.manifest != nil && d.file == len(d.manifest.Files) }

// close returns the manifest of a complete stream.
func (d *decoder) close() (*storepb.Manifest, error) {
	if d.err != nil {
		return nil, d.err
	}
	if !d.done() {
		return nil, streamError("it ends too early")
	}
	return d.manifest, nil
}
