package logstore

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"
)

func TestAFailedAppendIsNotInMemory(t *testing.T) {
	f := newFake()
	g, _ := guarded(f, nil)
	add(t, g, 1, 5, 1)
	remove(t, g, 4, 5)
	f.err = errors.New("no space left on device")
	if err := g.StoreLogs([]*raft.Log{{Index: 4, Term: 2}, {Index: 5, Term: 2}}); !errors.Is(err, f.err) {
		t.Fatalf("StoreLogs answered %v", err)
	}
	want(t, g, 1, 3, always(1))
}

func TestMemoryIsBoundedInBytesAndEntries(t *testing.T) {
	g, _ := guarded(newFake(), nil)
	next := uint64(1)
	appendOf := func(entries, size int) {
		for range entries {
			if err := g.StoreLogs([]*raft.Log{{Index: next, Term: 1, Data: make([]byte, size)}}); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	for _, step := range []struct{ entries, size, want int }{
		{5, 1 << 20, 5}, {15, 1 << 20, 8}, {1, 8<<20 + 1, 0}, {3, 8 << 20, 1}, {2000, 10, 1024}, {1, 8 << 20, 1}, {1100, 8 << 10, 1024},
	} {
		appendOf(step.entries, step.size)
		held, bytes := 0, 0
		for _, l := range g.recent.ring {
			if l.Index > 0 {
				held, bytes = held+1, bytes+len(l.Data)
			}
		}
		if held != step.want || bytes > 8<<20 || bytes != g.recent.bytes {
			t.Errorf("after %d entries of %d bytes, memory holds %d entries with %d bytes and counts %d; want %d entries",
				step.entries, step.size, held, bytes, g.recent.bytes, step.want)
		}
	}
	for i := uint64(1); i < next; i++ {
		if err := g.GetLog(i, &raft.Log{}); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
}

// bolt decodes into the memory that an entry holds already. Raft reads many entries into one variable at start.
func TestAReadIntoAUsedEntryChangesNoOther(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		s := open(t, t.TempDir(), kind)
		add(t, s, 1, 1100, 1)
		var used raft.Log
		for _, i := range []uint64{1100, 1} {
			if err := s.GetLog(i, &used); err != nil {
				t.Fatal(err)
			}
		}
		want(t, s, 1, 1100, always(1))
	})
}

func TestMemoryIsEmptyAfterClose(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		s := open(t, t.TempDir(), kind)
		add(t, s, 1, 3, 1)
		closeStore(t, s)
		if err := s.GetLog(2, &raft.Log{}); err == nil {
			t.Error("a closed store answers")
		}
	})
}
