package logstore

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

// TestMemoryAnswersAsTheDiskDoes has random calls made to a store. Read after any of them, from memory or from disk and into
// a used entry, each index holds what was appended last, and nothing that was refused or deleted.
func TestMemoryAnswersAsTheDiskDoes(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		parent := memoryDir(t)
		held, read := 0, 0
		rapid.Check(t, func(t *rapid.T) {
			dir, err := os.MkdirTemp(parent, "")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			m := &recentModel{kind: kind, dir: dir, entries: map[uint64]raft.Log{}, next: 1, term: 1}
			m.open(t)
			defer func() {
				held, read = held+m.held, read+m.read
				if err := m.store.Close(); err != nil {
					t.Error(err)
				}
			}()
			t.Repeat(map[string]func(*rapid.T){
				"":              m.compare,
				"append":        m.append,
				"append more":   m.append,
				"replace":       m.replace,
				"compact":       m.compact,
				"install":       m.install,
				"fail":          m.fail,
				"reopen":        m.reopen,
				"compare again": m.compare,
			})
		})
		if held == 0 || read == 0 {
			t.Errorf("of the entries that were read, %d were in memory and %d only on disk", held, read)
		}
	})
}

// recentModel is a store and what it has to hold: first to next-1.
type recentModel struct {
	kind        Kind
	dir         string
	store       *guard
	backend     *refusing
	entries     map[uint64]raft.Log
	first, next uint64
	term        uint64
	used        raft.Log
	held, read  int
}

// refusing is a backend that fails on demand, before it writes.
type refusing struct {
	backend
	err error
}

func (r *refusing) StoreLogs(logs []*raft.Log) error {
	if r.err != nil {
		return r.err
	}
	return r.backend.StoreLogs(logs)
}

func (r *refusing) DeleteRange(first, last uint64) error {
	if r.err != nil {
		return r.err
	}
	return r.backend.DeleteRange(first, last)
}

func (m *recentModel) open(t *rapid.T) {
	s, err := Open(m.dir, m.kind, Options{SegmentBytes: 8 << 10, Fatal: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	m.store = s.(*guard)
	m.store.recent = newRecent(16, 4<<10)
	m.backend = &refusing{backend: m.store.backend}
	m.store.backend = m.backend
}

func (m *recentModel) reopen(t *rapid.T) {
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
}

// batch makes entries that follow the last one.
func (m *recentModel) batch(t *rapid.T) []*raft.Log {
	logs := make([]*raft.Log, rapid.SampledFrom([]int{1, 2, 8, 40}).Draw(t, "entries"))
	zone := rapid.SampledFrom([]*time.Location{time.UTC, time.Local, time.FixedZone("east", 3600)}).Draw(t, "zone")
	for i := range logs {
		l := &raft.Log{Index: m.next + uint64(i), Term: m.term, Type: raft.LogCommand, AppendedAt: time.Now().In(zone)}
		l.Data = fmt.Appendf(nil, "entry %d of term %d", l.Index, l.Term)
		logs[i] = l
	}
	l := logs[0]
	switch rapid.SampledFrom([]string{"", "large", "empty", "nil", "extended", "timeless"}).Draw(t, "first entry") {
	case "large":
		l.Data = append(l.Data, make([]byte, 3<<10)...)
	case "empty":
		l.Data, l.Extensions = []byte{}, []byte{}
	case "nil":
		l.Data, l.Type = nil, raft.LogNoop
	case "extended":
		l.Extensions = []byte("extensions")
	case "timeless":
		l.AppendedAt = time.Time{}
	}
	return logs
}

func (m *recentModel) append(t *rapid.T) {
	logs := m.batch(t)
	if err := m.store.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
	if m.first == 0 {
		m.first = m.next
	}
	for _, l := range logs {
		want := *l
		want.AppendedAt = l.AppendedAt.UTC()
		if len(l.Data) == 0 {
			want.Data = nil
		}
		if len(l.Extensions) == 0 {
			want.Extensions = nil
		}
		m.entries[l.Index] = want
	}
	m.next += uint64(len(logs))
}

// deleted is told of a range that the store has deleted.
func (m *recentModel) deleted(from, to uint64) {
	for i := from; i <= to; i++ {
		delete(m.entries, i)
	}
	switch {
	case from == m.first && to == m.next-1:
		m.first = 0
	case from == m.first:
		m.first = to + 1
	}
}

// replace cuts a tail and appends others at its indexes.
func (m *recentModel) replace(t *rapid.T) {
	if m.first == 0 {
		return
	}
	from := rapid.Uint64Range(m.first, m.next-1).Draw(t, "from")
	if err := m.store.DeleteRange(from, m.next-1); err != nil {
		t.Fatal(err)
	}
	m.deleted(from, m.next-1)
	m.next = from
	m.term++
	m.compare(t)
	m.append(t)
}

func (m *recentModel) compact(t *rapid.T) {
	if m.first == 0 {
		return
	}
	to := rapid.Uint64Range(m.first, m.next-1).Draw(t, "to")
	if err := m.store.DeleteRange(m.first, to); err != nil {
		t.Fatal(err)
	}
	m.deleted(m.first, to)
}

// install has the log go on behind a state that is ahead of it.
func (m *recentModel) install(t *rapid.T) {
	index := m.next + rapid.Uint64Range(0, 50).Draw(t, "ahead")
	if _, err := m.store.Installed(index, m.term); err != nil {
		t.Fatal(err)
	}
	if m.first > 0 {
		m.deleted(m.first, m.next-1)
	}
	m.next = index + 1
	m.append(t) // the store makes room
}

// fail has an append and a deletion fail, and the process start again.
func (m *recentModel) fail(t *rapid.T) {
	m.backend.err = errors.New("input/output error")
	if err := m.store.StoreLogs(m.batch(t)); !errors.Is(err, m.backend.err) {
		t.Fatalf("an append that fails: %v", err)
	}
	m.compare(t)
	if m.first > 0 {
		from := rapid.SampledFrom([]uint64{m.first, m.next - 1}).Draw(t, "from")
		if err := m.store.DeleteRange(from, m.next-1); !errors.Is(err, m.backend.err) {
			t.Fatalf("a deletion that fails: %v", err)
		}
		m.compare(t)
	}
	m.reopen(t)
}

// compare reads around the ends of the log and of what is in memory, and anywhere.
func (m *recentModel) compare(t *rapid.T) {
	indexes := []uint64{m.first, m.first + 1, m.next - 1, m.next, m.store.recent.first, m.next + 40}
	if m.first > 0 {
		indexes = append(indexes, m.first-1, max(m.store.recent.first, 1)-1, rapid.Uint64Range(m.first, m.next-1).Draw(t, "index"))
	}
	for _, i := range indexes {
		if m.store.recent.get(i, &raft.Log{}) {
			m.held++
		} else if _, ok := m.entries[i]; ok {
			m.read++
		}
		m.expect(t, "GetLog", i, m.store.GetLog(i, &m.used))
		m.expect(t, "the disk", i, m.store.read(i, &m.used))
	}
}

// expect looks at the answer in used. Entries in front of the first are not there, but for raft-wal, which keeps them in
// reach until their segment goes.

func (m *recentModel) expect(t *rapid.T, who string, index uint64, err error) {
	want, ok := m.entries[index]
	old := m.kind == WAL && index < m.next && (m.first == 0 || index < m.first)
	switch {
	case old && !m.store.recent.get(index, &raft.Log{}):
	case !ok && !errors.Is(err, raft.ErrLogNotFound):
		t.Fatalf("%s has an entry %d, of term %d, %v", who, index, m.used.Term, err)
	case ok && err != nil:
		t.Fatalf("%s answers for entry %d: %v", who, index, err)
	case ok && !reflect.DeepEqual(m.used, want):
		t.Fatalf("%s has %.300v as entry %d, want %.300v", who, m.used, index, want)
	}
}
