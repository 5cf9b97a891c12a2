//go:build linux && system

package faultfs

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// What was written is read, also by those who read all the time while others write: the log is read while it grows, in a
// file that was allocated ahead and read before.
func TestSystemReadersSeeWhatWasWritten(t *testing.T) {
	const record, records = 1000, 8000
	d := openDisk(t, Options{})
	f := create(t, filepath.Join(d.Path(), "log"))
	if err := f.Truncate(record * records); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(f.Name()); err != nil || len(b) != record*records {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	r, err := os.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var written atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			b := make([]byte, record)
			for n := written.Load(); n < records; n = written.Load() {
				if n == 0 {
					continue
				}
				if _, err := r.ReadAt(b, (n-1)*record); err != nil || !bytes.Equal(b, recordOf(n-1, record)) {
					t.Errorf("record %d is %x..., %v", n-1, b[:8], err)
					return
				}
			}
		})
	}
	for i := range int64(records) {
		if _, err := f.WriteAt(recordOf(i, record), i*record); err != nil {
			t.Error(err)
			break
		}
		written.Store(i + 1)
	}
	written.Store(records)
	readers.Wait()
}

func recordOf(i int64, size int) []byte {
	return bytes.Repeat(binary.BigEndian.AppendUint64(nil, uint64(i+1)), size/8)
}
