package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fastqueue/fastqueue/fsm/store/storepb"
)

// memory is a target that keeps the files.
type memory struct {
	names  []string
	files  [][]byte
	ended  int
	refuse error
}

func (m *memory) accept(*storepb.Manifest) error { return m.refuse }

func (m *memory) create(name string) error {
	m.names, m.files = append(m.names, name), append(m.files, nil)
	return nil
}

func (m *memory) write(p []byte) error {
	last := len(m.files) - 1
	m.files[last] = append(m.files[last], p...)
	return nil
}

func (m *memory) finish() error { m.ended++; return nil }

// encodeStream makes a stream of files whose manifest may say something else about them.
func encodeStream(t testing.TB, m *storepb.Manifest, bodies ...string) []byte {
	t.Helper()
	b, err := encodeHead(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		b = append(b, body...)
		b = binary.BigEndian.AppendUint32(b, crc32.Checksum([]byte(body), crcTable()))
	}
	return b
}

func file(name string, size int) *storepb.File { return &storepb.File{Name: name, Size: uint64(size)} }

func twoFiles() *storepb.Manifest {
	return &storepb.Manifest{Index: 7, Term: 2, Files: []*storepb.File{file("000001.sst", 5), file("empty", 0), file("MANIFEST-1", 3)}}
}

// decode feeds b in pieces of n bytes.
func decode(t *memory, b []byte, n int) error {
	d := newDecoder(t)
	for len(b) > 0 {
		n = min(n, len(b))
		if _, err := d.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	_, err := d.close()
	return err
}

func TestDecoderTakesPiecesOfAnySize(t *testing.T) {
	stream := encodeStream(t, twoFiles(), "hello", "", "abc")
	for n := 1; n <= len(stream); n++ {
		var m memory
		if err := decode(&m, stream, n); err != nil {
			t.Fatalf("in pieces of %d: %v", n, err)
		}
		if got := string(bytes.Join(m.files, []byte("|"))); got != "hello||abc" || m.ended != 3 {
			t.Fatalf("in pieces of %d: %q, %d files complete", n, got, m.ended)
		}
	}
}

func TestDecoderRefusesEveryDamage(t *testing.T) {
	stream := encodeStream(t, twoFiles(), "hello", "", "abc")
	for i := range stream {
		if err := decode(&memory{}, stream[:i], 4); !errors.Is(err, ErrStream) {
			t.Errorf("cut at %d of %d: %v", i, len(stream), err)
		}
		for _, flip := range []byte{1, 0x80} {
			b := bytes.Clone(stream)
			b[i] ^= flip
			if err := decode(&memory{}, b, 4); !errors.Is(err, ErrStream) {
				t.Errorf("byte %d damaged: %v", i, err)
			}
		}
	}
	if err := decode(&memory{}, append(bytes.Clone(stream), 0), 4); !errors.Is(err, errSurplus) {
		t.Errorf("one byte too many: %v", err)
	}
}

func TestDecoderRefusesImpossibleManifests(t *testing.T) {
	tests := map[string][]*storepb.File{
		"parent":    {file("../x", 1)},
		"directory": {file("a/b", 1)},
		"absolute":  {file("/etc/passwd", 1)},
		"dot":       {file(".", 1)},
		"dots":      {file("..", 1)},
		"hidden":    {file(".profile", 1)},
		"empty":     {file("", 1)},
		"zero byte": {file("a\x00b", 1)},
		"backslash": {file(`a\b`, 1)},
		"long":      {file(strings.Repeat("a", 200), 1)},
		"double":    {file("a", 1), file("a", 1)},
		"huge":      {{Name: "a", Size: 1 << 63}},
		"overflow":  {{Name: "a", Size: 1<<63 - 1}, {Name: "b", Size: 1}},
	}
	for name, files := range tests {
		m := &memory{}
		if err := decode(m, encodeStream(t, &storepb.Manifest{Files: files}), 64); !errors.Is(err, ErrStream) || len(m.names) != 0 {
			t.Errorf("%s: %v after files %q", name, err, m.names)
		}
	}
}

// A length costs memory only when its bytes arrive.
func TestDecoderAllocatesWhatArrives(t *testing.T) {
	head := binary.BigEndian.AppendUint32(append([]byte(streamMagic), 0, 0, 0, streamVersion), maxManifest)
	d := newDecoder(&memory{})
	if _, err := d.Write(append(head, 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	if cap(d.buf) > 1<<10 {
		t.Errorf("%d bytes set aside for %d received", cap(d.buf), len(d.buf))
	}
	d = newDecoder(&memory{})
	if _, err := d.Write(binary.BigEndian.AppendUint32(head[:streamHead-4], maxManifest+1)); !errors.Is(err, ErrStream) {
		t.Errorf("a manifest that is too long: %v", err)
	}
}

func FuzzDecoder(f *testing.F) {
	stream := encodeStream(f, twoFiles(), "hello", "", "abc")
	f.Add(stream, 3)
	f.Add(stream[:20], 1)
	f.Add([]byte(streamMagic), 8)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		m := &memory{}
		if err := decode(m, b, max(1, n)); err != nil {
			if !errors.Is(err, ErrStream) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		again := &memory{}
		if err := decode(again, b, len(b)); err != nil || m.ended != again.ended || len(m.names) != m.ended {
			t.Errorf("in one piece: %v, %d files, %d before", err, again.ended, m.ended)
		}
		for _, name := range m.names {
			if !plainName.MatchString(name) {
				t.Errorf("file %q", name)
			}
		}
	})
}

// Through the whole store: what is refused leaves no trace.
func TestDamagedStreamsChangeNothing(t *testing.T) {
	from := openStore(t, vfs.NewMem())
	from.apply(5, "a", "1")
	meta, stream := from.stream()
	other := openStore(t, vfs.NewMem(), func(o *Options) { o.Schema = 3 })
	other.apply(5, "a", "1")
	_, otherSchema := other.stream()

	to := openStore(t, vfs.NewMem())
	to.apply(1, "mine", "x")
	damaged := bytes.Clone(stream)
	damaged[len(damaged)/2] ^= 1
	manifest := mismatchedManifest(t, stream)
	for name, b := range map[string][]byte{
		"empty": nil, "cut": stream[:len(stream)-1], "half": stream[:len(stream)/2], "damaged": damaged,
		"surplus": append(bytes.Clone(stream), 0), "other schema": otherSchema, "other position": manifest,
		"no engine": encodeStream(t, engineManifest(file("000001.sst", 5)), "hello"),
		"no files":  encodeStream(t, engineManifest()),
	} {
		if err := to.install(at(meta.Index), b); !errors.Is(err, ErrStream) {
			t.Errorf("%s: %v", name, err)
		}
		to.wantState(1, map[string]string{"mine": "x"})
		if got := strings.Join(to.names(), " "); got != "LOCK g-00000001" {
			t.Errorf("%s: the directory holds %s", name, got)
		}
	}
	if err := to.install(at(meta.Index), stream); err != nil {
		t.Errorf("the undamaged stream: %v", err)
	}
	to.wantState(5, map[string]string{"a": "1"})
}

func engineManifest(files ...*storepb.File) *storepb.Manifest {
	return &storepb.Manifest{Index: 5, Term: 1, EngineFormat: uint32(engineFormat), Files: files}
}

// mismatchedManifest returns the stream with a manifest of another index, checksums right.
func mismatchedManifest(t *testing.T, stream []byte) []byte {
	t.Helper()
	n, err := decodeFixedHead(stream[:streamHead])
	if err != nil {
		t.Fatal(err)
	}
	end := streamHead + n + crcBytes
	m, err := decodeManifest(stream[:end])
	if err != nil {
		t.Fatal(err)
	}
	m.Index++
	return append(encodeStream(t, m), stream[end:]...)
}
