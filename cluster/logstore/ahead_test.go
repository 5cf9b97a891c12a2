package logstore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/types"
	"pgregory.net/rapid"
)

// countedFile notes the bytes that are written to it, and up to where.
type countedFile struct {
	types.WritableFile
	written, end int64
}

func (f *countedFile) WriteAt(p []byte, offset int64) (int, error) {
	f.written += int64(len(p))
	f.end = max(f.end, offset+int64(len(p)))
	return f.WritableFile.WriteAt(p, offset)
}

// TestASegmentIsWrittenAheadAndHoldsTheSame appends to a segment, closing it at times, and compares what it holds with what
// a plain file would.
func TestASegmentIsWrittenAheadAndHoldsTheSame(t *testing.T) {
	const ahead = 4 << 10
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		size := rapid.IntRange(1, 4*ahead).Draw(rt, "size")
		files := newSegmentFiles(fs.New(), ahead)
		created, err := files.Create(dir, "segment", uint64(size))
		if err != nil {
			rt.Fatal(err)
		}
		want := make([]byte, size)
		at, opened := 0, 0
		file := created.(*segmentFile)
		counted := &countedFile{WritableFile: file.WritableFile}
		file.WritableFile = counted
		for range rapid.IntRange(1, 20).Draw(rt, "appends") {
			if rapid.IntRange(0, 9).Draw(rt, "open again") == 0 {
				if err := file.Close(); err != nil {
					rt.Fatal(err)
				}
				again, err := files.OpenWriter(dir, "segment")
				if err != nil {
					rt.Fatal(err)
				}
				file = again.(*segmentFile)
				counted.WritableFile = file.WritableFile
				file.WritableFile = counted
				opened++
			}
			p := bytes.Repeat([]byte{byte(1 + opened)}, min(size-at, rapid.IntRange(1, ahead/2).Draw(rt, "bytes")))
			copy(want[at:], p)
			written, zeroed := counted.written, file.zeroed
			if n, err := file.WriteAt(p, int64(at)); err != nil || n != len(p) {
				rt.Fatalf("append: %d, %v", n, err)
			}
			at += len(p)
			if more := counted.written - written; int64(at) <= zeroed && more != int64(len(p)) {
				rt.Fatalf("%d bytes were written for %d whose blocks were written already", more, len(p))
			}
			if least := min(int64(at)+ahead, int64(size)); counted.end < int64(at) || int64(at) > zeroed && counted.end < least {
				rt.Fatalf("%d bytes of %d are appended, and only %d written", at, size, counted.end)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "segment")); err != nil || !bytes.Equal(got, want) {
				rt.Fatalf("after %d bytes the file of %d bytes is another one: %v", at, size, err)
			}
			if counted.end > int64(size) || counted.end > int64(at)+ahead {
				rt.Fatalf("%d bytes of %d are appended, and %d written", at, size, counted.end)
			}
		}
		if err := file.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}
