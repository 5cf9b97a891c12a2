package store

import (
	"encoding/binary"
	"testing"
)

// BenchmarkCommit measures one batch: a read, eight writes of 100 bytes, the position.
func BenchmarkCommit(b *testing.B) {
	s, err := Open(b.TempDir(), Options{Fatal: func(err error) { b.Error(err) }})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 100)
	index := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		index++
		batch := s.NewBatch()
		batch.Get(binary.BigEndian.AppendUint64([]byte{'m'}, index-1))
		for i := range uint64(8) {
			batch.Set(binary.BigEndian.AppendUint64([]byte{'m'}, index<<3|i), value)
		}
		batch.Commit(Position{Index: index, Term: 1})
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
