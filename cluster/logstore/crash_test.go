package logstore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
)

// crashes loses the power of a log's disk at every step and looks at what is left: it has to be what the log held before
// the call that was running, or what it should hold after it, and nothing that an earlier call promised may be missing.
type crashes struct {
	t    *testing.T
	kind Kind
	rng  *rand.Rand

	mu      sync.Mutex // held while the disk changes or is looked at; raft-wal works on two goroutines
	allowed []string   // what may be found
	images  int
}

// check opens a disk as a loss of power would leave it.
func (c *crashes) check(what string, files map[string][]byte) {
	c.images++
	dir := filepath.Join(memoryDir(c.t), "log")
	err := os.Mkdir(dir, 0o700)
	for name, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	if err != nil {
		c.t.Errorf("image %d: %v", c.images, err)
		return
	}
	got, err := held(dir, c.kind, c.images%4 == 0)
	if err != nil || !slices.Contains(c.allowed, got) {
		c.t.Errorf("image %d, %s: the log holds\n%s, %v; it may hold\n%s", c.images, what, got, err, strings.Join(c.allowed, "\nor "))
	}
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil { // at once: there are thousands
		c.t.Error(err)
	}
}

// memoryDir is a directory for a disk that is only looked at. Its syncs should cost nothing.
func memoryDir(t *testing.T) string {
	t.Helper()
	const inMemory = "/dev/shm"
	if _, err := os.Stat(inMemory); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(inMemory, "fastqueue-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// held says what a log holds, every entry and raft's stable values, and that it can go on.
func held(dir string, kind Kind, appends bool) (string, error) {
	var fatal error
	s, err := Open(dir, kind, Options{SegmentBytes: crashSegment, Fatal: func(err error) { fatal = err }})
	if err != nil {
		return "", err
	}
	m := logModel{stable: map[string]uint64{}}
	first, err1 := s.FirstIndex()
	last, err2 := s.LastIndex()
	err = errors.Join(err1, err2)
	for i := first; i > 0 && i <= last && err == nil; i++ {
		var l raft.Log
		if err = s.GetLog(i, &l); err == nil && string(l.Data) != crashEntry(i, l.Term) {
			err = fmt.Errorf("entry %d is %.30q", i, l.Data)
		}
		m.entries = append(m.entries, l)
	}
	for _, key := range []string{"CurrentTerm", "LastVoteTerm"} {
		v, getErr := s.GetUint64([]byte(key))
		if getErr == nil && v > 0 {
			m.stable[key] = v
		} else if getErr != nil && getErr.Error() != errNotFound.Error() {
			err = errors.Join(err, getErr)
		}
	}
	if appends && err == nil {
		err = s.StoreLog(&raft.Log{Index: last + 1, Term: 99, Data: []byte("more")})
	}
	return m.String(), errors.Join(err, fatal, s.Close())
}

const crashSegment = 2 << 10

// crashEntry is the data of an entry; some are long.
func crashEntry(index, term uint64) string {
	return fmt.Sprintf("entry %d of term %d %s", index, term, strings.Repeat("x", int(index*index%7)*60))
}

// logModel is what a log should hold.
type logModel struct {
	entries []raft.Log
	stable  map[string]uint64
}

// String has no more than what matters.
func (m logModel) String() string {
	var b strings.Builder
	for i, l := range m.entries {
		if i == 0 || l.Term != m.entries[i-1].Term {
			fmt.Fprintf(&b, "(term %d)", l.Term)
		}
		fmt.Fprintf(&b, " %d", l.Index)
	}
	for _, key := range slices.Sorted(maps.Keys(m.stable)) {
		fmt.Fprintf(&b, " %s=%d", key, m.stable[key])
	}
	return b.String()
}

func (m logModel) last() uint64 {
	if len(m.entries) == 0 {
		return 0
	}
	return m.entries[len(m.entries)-1].Index
}

// script makes the calls that raft makes, and says before each what a crash in it may leave.
type script struct {
	*crashes
	s Store
	m logModel
}

// run makes one call. between are the states that a crash in the middle of it may leave besides the old and the new one.
func (r *script) run(what string, next logModel, between []logModel, call func() error) {
	r.t.Helper()
	allowed := []string{r.m.String(), next.String()}
	for _, m := range between {
		allowed = append(allowed, m.String())
	}
	r.allow(allowed...)
	if err := call(); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
	r.m = next
	r.allow(next.String())
}

func (r *script) allow(states ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed = states
}

func (r *script) append(count int, term uint64) {
	r.t.Helper()
	r.appendAt(r.m.last()+1, count, term, nil)
}

func (r *script) appendAt(index uint64, count int, term uint64, between []logModel) {
	r.t.Helper()
	next := logModel{entries: slices.Clone(r.m.entries), stable: r.m.stable}
	if between != nil {
		next.entries = nil
	}
	var logs []*raft.Log
	for i := range uint64(count) {
		l := raft.Log{Index: index + i, Term: term, Data: []byte(crashEntry(index+i, term))}
		next.entries, logs = append(next.entries, l), append(logs, &l)
	}
	r.run("append", next, between, func() error { return r.s.StoreLogs(logs) })
}

func (r *script) cutTail(from uint64) {
	r.t.Helper()
	at := slices.IndexFunc(r.m.entries, func(l raft.Log) bool { return l.Index == from })
	next := logModel{entries: r.m.entries[:at:at], stable: r.m.stable}
	r.run("cut the tail", next, nil, func() error { return r.s.DeleteRange(from, r.m.last()) })
}

// cutHead removes the entries up to one; they may go in slices.
func (r *script) cutHead(to uint64) {
	r.t.Helper()
	first := r.m.entries[0].Index
	var between []logModel
	for i := range to - first {
		between = append(between, logModel{entries: r.m.entries[i+1:], stable: r.m.stable})
	}
	next := logModel{entries: r.m.entries[to-first+1:], stable: r.m.stable}
	r.run("cut the head", next, between, func() error { return r.s.DeleteRange(first, to) })
}

func (r *script) set(key string, value uint64) {
	r.t.Helper()
	next := logModel{entries: r.m.entries, stable: maps.Clone(r.m.stable)}
	next.stable[key] = value
	r.run("set "+key, next, nil, func() error { return r.s.SetUint64([]byte(key), value) })
}

// install appends behind a state that was received: older entries go first.
func (r *script) install(index, term uint64) {
	r.t.Helper()
	if _, err := r.s.Installed(index, term); err != nil {
		r.t.Fatal(err)
	}
	r.appendAt(index+1, 3, term, []logModel{{stable: r.m.stable}})
}

// play is the life of a log: several segments, conflicts, snapshots, terms, an install, and everything gone.
func (r *script) play() {
	r.t.Helper()
	r.set("CurrentTerm", 1)
	r.append(1, 1)
	r.append(5, 1)
	r.append(9, 1)
	r.set("CurrentTerm", 2)
	r.set("LastVoteTerm", 2)
	r.cutTail(12) // in the segment that is written to
	r.append(4, 2)
	r.append(12, 2)
	r.cutTail(8) // through several segments
	r.append(1, 3)
	r.append(17, 3)
	r.append(3, 3)
	r.cutHead(4)
	r.append(2, 3)
	r.cutHead(19)
	r.set("CurrentTerm", 5)
	r.cutTail(22)
	r.append(6, 5)
	r.install(60, 5)
	r.append(8, 5)
	r.cutTail(61) // nothing is left
	r.append(5, 6)
	r.cutHead(r.m.last())
	r.append(2, 7)
}
