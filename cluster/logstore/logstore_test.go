package logstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// kinds runs a test on both backends.
func kinds(t *testing.T, f func(t *testing.T, kind Kind)) {
	for _, kind := range []Kind{Bolt, WAL} {
		t.Run(string(kind), func(t *testing.T) { f(t, kind) })
	}
}

// open opens a log that fails the test when it would end the process.
func open(t *testing.T, dir string, kind Kind) Store {
	t.Helper()
	s, err := Open(dir, kind, Options{SegmentBytes: 8 << 10, Fatal: func(err error) { t.Errorf("the log would end the process: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t *testing.T, s Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// add appends entries first to last of a term.
func add(t *testing.T, s raft.LogStore, first, last, term uint64) {
	t.Helper()
	var logs []*raft.Log
	for i := first; i <= last; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: term, Data: fmt.Appendf(nil, "entry %d of term %d", i, term)})
	}
	if err := s.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
}

// setTerm writes a term down, as raft does before anything of it.
func setTerm(t *testing.T, s Store, term uint64) {
	t.Helper()
	if err := s.SetUint64([]byte("CurrentTerm"), term); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s raft.LogStore, first, last uint64) {
	t.Helper()
	if err := s.DeleteRange(first, last); err != nil {
		t.Fatal(err)
	}
}

// want checks that the log holds exactly first to last, with the terms that term says.
func want(t *testing.T, s raft.LogStore, first, last uint64, term func(uint64) uint64) {
	t.Helper()
	gotFirst, err1 := s.FirstIndex()
	gotLast, err2 := s.LastIndex()
	if err := errors.Join(err1, err2); err != nil || gotFirst != first || gotLast != last {
		t.Fatalf("the log holds %d to %d, %v; want %d to %d", gotFirst, gotLast, err, first, last)
	}
	for i := first; i <= last && i > 0; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if data := fmt.Sprintf("entry %d of term %d", i, term(i)); l.Index != i || l.Term != term(i) || string(l.Data) != data {
			t.Fatalf("entry %d is %d of term %d: %q", i, l.Index, l.Term, l.Data)
		}
	}
	var l raft.Log
	if err := s.GetLog(last+1, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("the entry behind the last: %v", err)
	}
}

func always(term uint64) func(uint64) uint64 { return func(uint64) uint64 { return term } }

func before(index, then, later uint64) func(uint64) uint64 {
	return func(i uint64) uint64 {
		if i < index {
			return then
		}
		return later
	}
}

// raft-wal#31: version 0.4.0 lost 50 of these 70 entries.
func TestAConflictingTailAndARestart(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		dir := t.TempDir()
		s := open(t, dir, kind)
		add(t, s, 1, 100, 1)
		remove(t, s, 51, 100)
		add(t, s, 51, 70, 2)
		want(t, s, 1, 70, before(51, 1, 2))
		closeStore(t, s)
		s = open(t, dir, kind)
		want(t, s, 1, 70, before(51, 1, 2))
		add(t, s, 71, 400, 3) // several segments
		remove(t, s, 1, 350)
		closeStore(t, s)
		s = open(t, dir, kind)
		want(t, s, 351, 400, always(3))
		remove(t, s, 351, 400)
		closeStore(t, s)
		s = open(t, dir, kind)
		want(t, s, 0, 0, nil)
		add(t, s, 1_000, 1_010, 4)
		closeStore(t, s)
		want(t, open(t, dir, kind), 1_000, 1_010, always(4))
	})
}

func TestStableValues(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		dir := t.TempDir()
		s := open(t, dir, kind)
		if _, err := s.GetUint64([]byte("term")); err != nil && err.Error() != "not found" {
			t.Errorf("a value never set: %v", err)
		}
		if v, err := s.Get([]byte("vote")); len(v) > 0 || err != nil && err.Error() != "not found" {
			t.Errorf("a value never set: %q, %v", v, err)
		}
		if err := errors.Join(s.SetUint64([]byte("term"), 7), s.Set([]byte("vote"), []byte("a"))); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		s = open(t, dir, kind)
		term, err1 := s.GetUint64([]byte("term"))
		vote, err2 := s.Get([]byte("vote"))
		if err := errors.Join(err1, err2); err != nil || term != 7 || string(vote) != "a" {
			t.Errorf("term %d, vote %q, %v", term, vote, err)
		}
	})
}

func TestOpenRefusesTheOtherBackendsFiles(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		dir := t.TempDir()
		closeStore(t, open(t, dir, kind))
		other := map[Kind]Kind{Bolt: WAL, WAL: Bolt}[kind]
		_, err := Open(dir, other, Options{Fatal: func(error) {}})
		if err == nil || !strings.Contains(err.Error(), "start with --log-store "+string(kind)) {
			t.Errorf("opened as %s: %v", other, err)
		}
		open(t, dir, kind)
	})
}

func TestOpenRefusesASecondProcess(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		dir := t.TempDir()
		open(t, dir, kind)
		_, err := Open(dir, kind, Options{Fatal: func(error) {}})
		if err == nil || !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("opened twice: %v", err)
		}
	})
}

func TestOpenRefusesBadOptions(t *testing.T) {
	if _, err := Open(t.TempDir(), "rocks", Options{Fatal: func(error) {}}); err == nil || !strings.Contains(err.Error(), "bolt or wal") {
		t.Errorf("an unknown backend: %v", err)
	}
	if _, err := Open(t.TempDir(), Bolt, Options{}); err == nil {
		t.Error("opened without Fatal")
	}
}

func TestReconcile(t *testing.T) {
	agree := Applied{Index: 50, Term: 1}
	installed := func(index, term uint64) Applied { return Applied{index, term, index, term} }
	tests := []struct {
		name        string
		first, last uint64 // of the log, term 1; 0 for an empty one
		applied     Applied
		refused     bool
		empty       bool // afterwards
	}{
		{"nothing yet", 0, 0, Applied{}, false, true},
		{"entries, nothing durable", 1, 60, Applied{}, false, false},
		{"log goes on", 1, 60, agree, false, false},
		{"log ends there", 40, 50, agree, false, false},
		{"log begins there", 50, 60, agree, false, false},
		{"log begins behind", 51, 60, agree, false, false},
		{"log begins too late", 52, 60, agree, true, false},
		{"log lost its head, no state", 2, 60, Applied{}, true, false},
		{"log lost its tail", 1, 49, agree, true, false},
		{"log lost", 0, 0, agree, true, false},
		{"another history", 1, 60, Applied{Index: 50, Term: 2}, true, false},
		{"an old install does not excuse", 1, 49, Applied{50, 1, 45, 1}, true, false},

		{"installed, log empty", 0, 0, installed(50, 1), false, true},
		{"installed, log older", 1, 49, installed(50, 1), false, true},
		{"installed, conflicting tail", 1, 60, installed(50, 2), false, true},
		{"installed, conflicting last", 1, 50, installed(50, 2), false, true},
		{"installed, log agrees and goes on", 1, 60, installed(50, 1), false, false},
		{"installed, acknowledged entries behind", 51, 60, installed(50, 2), false, false},
		{"installed, log begins too late", 52, 60, installed(50, 1), true, false},
	}
	kinds(t, func(t *testing.T, kind Kind) {
		for _, tt := range tests {
			s := open(t, t.TempDir(), kind)
			setTerm(t, s, 2)
			if tt.last > 0 {
				add(t, s, tt.first, tt.last, 1)
			}
			err := Reconcile(s, tt.applied)
			if (err != nil) != tt.refused {
				t.Errorf("%s: %v", tt.name, err)
			}
			first, last := tt.first, tt.last
			if tt.empty {
				first, last = 0, 0
			}
			want(t, s, first, last, always(1))
		}
	})
}

// A node that has forgotten its term would vote twice in it.
func TestReconcileRefusesALostTerm(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		for name, test := range map[string]struct {
			term, last uint64
			applied    Applied
			refused    bool
		}{
			"nothing yet":        {0, 0, Applied{}, false},
			"a vote, no entries": {3, 0, Applied{}, false},
			"entries":            {0, 5, Applied{}, true},
			"an older term":      {1, 5, Applied{}, true},
			"a newer term":       {3, 5, Applied{}, false},
			"a state alone":      {1, 0, Applied{9, 2, 9, 2}, true},
			"its term":           {2, 0, Applied{9, 2, 9, 2}, false},
		} {
			s := open(t, t.TempDir(), kind)
			if test.term > 0 {
				setTerm(t, s, test.term)
			}
			if test.last > 0 {
				add(t, s, 1, test.last, 2)
			}
			if err := Reconcile(s, test.applied); errors.Is(err, ErrDamaged) != test.refused || !test.refused && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestInstalled(t *testing.T) {
	tests := []struct {
		name        string
		first, last uint64
		index, term uint64
		restart     bool
		clear       bool // raft may clear a wal
	}{
		{"log empty", 0, 0, 50, 1, false, true},
		{"log older", 1, 40, 50, 1, false, true},
		{"log agrees and goes on", 1, 60, 50, 1, false, false},
		{"log agrees and ends", 1, 50, 50, 1, false, false},
		{"conflict, log goes on", 1, 60, 50, 2, true, true},
		{"conflict, log ends", 1, 50, 50, 2, true, true},
		{"log begins behind", 55, 60, 50, 1, true, false},
	}
	kinds(t, func(t *testing.T, kind Kind) {
		for _, tt := range tests {
			s := open(t, t.TempDir(), kind)
			if tt.last > 0 {
				add(t, s, tt.first, tt.last, 1)
			}
			reason, err := s.Installed(tt.index, tt.term)
			if err != nil || (reason != "") != tt.restart {
				t.Errorf("%s: restart for %q, %v", tt.name, reason, err)
			}
			if got := s.IsMonotonic(); got != (kind == WAL && tt.clear) {
				t.Errorf("%s: IsMonotonic %v", tt.name, got)
			}
		}
	})
}

// What raft appends behind an installed state leaves no hole.
func TestAppendBehindAnInstallRemovesOlderEntries(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		dir := t.TempDir()
		s := open(t, dir, kind)
		setTerm(t, s, 2)
		add(t, s, 1, 40, 1)
		if _, err := s.Installed(50, 2); err != nil {
			t.Fatal(err)
		}
		add(t, s, 51, 60, 2)
		want(t, s, 51, 60, always(2))
		closeStore(t, s)
		s = open(t, dir, kind)
		if err := Reconcile(s, Applied{50, 2, 50, 2}); err != nil {
			t.Error(err)
		}
		want(t, s, 51, 60, always(2))
	})
}

func TestAppendedBytesAndObserve(t *testing.T) {
	kinds(t, func(t *testing.T, kind Kind) {
		var calls []string
		s, err := Open(t.TempDir(), kind, Options{
			Fatal: func(err error) { t.Error(err) },
			Observe: func(call string, _ time.Duration, entries, bytes int) {
				calls = append(calls, fmt.Sprint(call, " ", entries, " ", bytes))
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore(t, s)
		if err := s.StoreLogs([]*raft.Log{{Index: 1, Data: []byte("abc")}, {Index: 2, Data: []byte("de")}}); err != nil {
			t.Fatal(err)
		}
		remove(t, s, 2, 2)
		if err := s.SetUint64([]byte("k"), 1); err != nil {
			t.Fatal(err)
		}
		if got := s.AppendedBytes(); got != 5 {
			t.Errorf("%d bytes appended, want 5", got)
		}
		if want := []string{"store_logs 2 5", "delete_range 0 0", "set 0 8"}; !reflect.DeepEqual(calls, want) {
			t.Errorf("observed %q, want %q", calls, want)
		}
	})
}

// A first start that was cut short leaves nothing in the way.
func TestOpenRepairsAnUnfinishedCreation(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, boltFile+".tmp"), []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, Bolt)
	add(t, s, 1, 3, 1)
	closeStore(t, s)
	want(t, open(t, dir, Bolt), 1, 3, always(1))
}

// raft-wal syncs the directory after each segment that it removes, and nobody appends meanwhile: on a slow disk a log of many
// segments took that for a hang.
func TestAHeadOfManySegmentsGoesInSlices(t *testing.T) {
	dir := t.TempDir()
	segments := func() int {
		files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	before, most := 0, 0
	s, err := Open(dir, WAL, Options{
		SegmentBytes: 8 << 10,
		Fatal:        func(err error) { t.Error(err) },
		Observe: func(call string, _ time.Duration, _, _ int) {
			if now := segments(); call == "delete_range" {
				most, before = max(most, before-now), now
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	for i := uint64(1); i <= 2_000; i++ {
		add(t, s, i, i, 1)
	}
	if before = segments(); before < 3*walSlice {
		t.Fatalf("the log has %d segments", before)
	}
	remove(t, s, 1, 1_990)
	want(t, s, 1_991, 2_000, always(1))
	if most > walSlice || segments() > 2 {
		t.Errorf("up to %d segments went at once, %d are left", most, segments())
	}
}
