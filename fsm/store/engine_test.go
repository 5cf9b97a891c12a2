package store

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMessagesAreWrittenOnce: files of messages that come in the order of their keys are moved by compactions, whatever else
// changes beside them. Each byte was written again by one compaction after the other before.
func TestMessagesAreWrittenOnce(t *testing.T) {
	f := openStore(t, vfs.NewMem())
	chance := rand.NewChaCha8([32]byte{5})
	body := make([]byte, 1<<10)
	sequence, index := uint64(0), uint64(0)
	for range 40 {
		for range 10 {
			b := f.NewBatch()
			for range 20 {
				sequence++
				if _, err := chance.Read(body); err != nil {
					t.Fatal(err)
				}
				b.Add(MessageKey(1, sequence), body)
				b.Add(ReadyKey(1, 0, sequence), nil)
			}
			b.Set(ClockKey(), body[:8])
			b.Set(QueueKey("q"), body[:100])
			index++
			b.Commit(at(index))
		}
		if err := f.flush(f.gen); err != nil {
			t.Fatal(err)
		}
		f.compacted()
	}
	m := f.gen.db.Metrics()
	var flushed, compacted uint64
	for _, l := range m.Levels {
		flushed, compacted = flushed+l.TableBytesFlushed, compacted+l.TableBytesCompacted
	}
	if flushed == 0 || compacted > flushed/10 {
		t.Errorf("%d bytes were flushed, and compactions wrote %d", flushed, compacted)
	}
}

// compacted waits until nothing is left to compact.
func (f *fixture) compacted() {
	f.t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		m := f.gen.db.Metrics()
		if m.Compact.NumInProgress == 0 && m.Levels[0].TablesCount == 0 {
			return
		}
		if time.Since(began) > time.Minute {
			f.t.Fatalf("compactions do not end: %d run, %d files are at the top", m.Compact.NumInProgress, m.Levels[0].TablesCount)
		}
	}
}
