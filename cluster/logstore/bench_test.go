package logstore

import (
	"bytes"
	"testing"

	"github.com/hashicorp/raft"
)

// BenchmarkAppendAndRead is what a leader with two followers asks of the log: eight entries of 1 KiB are appended, and each
// is read once for either follower.
func BenchmarkAppendAndRead(b *testing.B) {
	for _, kind := range []Kind{Bolt, WAL} {
		b.Run(string(kind), func(b *testing.B) {
			s, err := Open(b.TempDir(), kind, Options{Fatal: func(err error) { b.Error(err) }})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			data := bytes.Repeat([]byte{1}, 1<<10)
			next := uint64(1)
			for b.Loop() {
				logs := make([]*raft.Log, 8)
				for i := range logs {
					logs[i] = &raft.Log{Index: next + uint64(i), Term: 1, Data: data}
				}
				if err := s.StoreLogs(logs); err != nil {
					b.Fatal(err)
				}
				for i := range 2 * len(logs) {
					if err := s.GetLog(next+uint64(i/2), new(raft.Log)); err != nil {
						b.Fatal(err)
					}
				}
				next += uint64(len(logs))
			}
		})
	}
}
