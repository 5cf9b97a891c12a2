package logstore

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// fake is a backend in memory that fails, hangs and counts on demand.
type fake struct {
	*raft.InmemStore
	err     error
	hang    chan struct{}
	deleted []string
}

func newFake() *fake { return &fake{InmemStore: raft.NewInmemStore()} }

func (f *fake) Close() error { return nil }

func (f *fake) StoreLogs(logs []*raft.Log) error {
	if f.hang != nil {
		<-f.hang
	}
	if f.err != nil {
		return f.err
	}
	return f.InmemStore.StoreLogs(logs)
}

func (f *fake) DeleteRange(first, last uint64) error {
	f.deleted = append(f.deleted, fmt.Sprintf("%d-%d", first, last))
	return f.InmemStore.DeleteRange(first, last)
}

// guarded returns a guard around f and what it reported to Fatal.
func guarded(f *fake, slice slicer) (*guard, *[]error) {
	var reported []error
	o := Options{Fatal: func(err error) { reported = append(reported, err) }, CallLimit: 5 * time.Second}
	o, _ = o.withDefaults() // Fatal is set: no error
	return newGuard(f, io.NopCloser(nil), slice, o), &reported
}

func TestAHangingCallEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.hang = make(chan struct{})
		reported := make(chan error, 1)
		g, _ := guarded(f, nil)
		g.o.Fatal = func(err error) { reported <- err }
		done := make(chan error, 1)
		start := time.Now()
		go func() { done <- g.StoreLogs([]*raft.Log{{Index: 1}}) }()
		if err := <-reported; err == nil || time.Since(start) != 5*time.Second {
			t.Errorf("reported %v after %s", err, time.Since(start))
		}
		close(f.hang)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAFailingCallEndsTheProcessOnce(t *testing.T) {
	f := newFake()
	f.err = errors.New("input/output error")
	g, reported := guarded(f, nil)
	for range 3 {
		if err := g.StoreLogs([]*raft.Log{{Index: 1}}); !errors.Is(err, f.err) {
			t.Errorf("StoreLogs answered %v", err)
		}
	}
	if len(*reported) != 1 || !errors.Is((*reported)[0], f.err) {
		t.Errorf("reported %v", *reported)
	}
}

func TestAbsenceIsNoFailure(t *testing.T) {
	g, reported := guarded(newFake(), nil)
	var l raft.Log
	if err := g.GetLog(4, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("GetLog answered %v", err)
	}
	if _, err := g.Get([]byte("k")); err == nil || err.Error() != "not found" {
		t.Errorf("Get answered %v", err)
	}
	if len(*reported) != 0 {
		t.Errorf("reported %v", *reported)
	}
}

func TestAHeadGoesInSlicesAndATailAtOnce(t *testing.T) {
	tests := []struct {
		first, last uint64
		want        []string
	}{
		{1, 45, []string{"1-10", "11-20", "21-30", "31-40", "41-45"}},
		{1, 40, []string{"1-10", "11-20", "21-30", "31-40"}},
		{1, 10, []string{"1-10"}},
		{1, 3, []string{"1-3"}},
		{30, 100, []string{"30-100"}},
		{1, 100, []string{"1-100"}},
	}
	for _, tt := range tests {
		f := newFake()
		g, _ := guarded(f, entrySlices(10))
		add(t, g, 1, 100, 1)
		remove(t, g, tt.first, tt.last)
		if !reflect.DeepEqual(f.deleted, tt.want) {
			t.Errorf("%d to %d went as %q, want %q", tt.first, tt.last, f.deleted, tt.want)
		}
	}
}

func TestAppendsThatDoNotFollowEndTheProcess(t *testing.T) {
	tests := map[string][]*raft.Log{
		"hole":      {{Index: 12}},
		"twice":     {{Index: 10}},
		"hole in":   {{Index: 11}, {Index: 13}},
		"backwards": {{Index: 11}, {Index: 10}},
	}
	for name, logs := range tests {
		g, reported := guarded(newFake(), nil)
		add(t, g, 1, 10, 1)
		if err := g.StoreLogs(logs); err == nil || len(*reported) != 1 {
			t.Errorf("%s: %v, reported %v", name, err, *reported)
		}
		want(t, g, 1, 10, always(1))
	}
}

func TestErrorsAfterCloseEndNothing(t *testing.T) {
	f := newFake()
	g, reported := guarded(f, nil)
	if err := errors.Join(g.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	f.err = errors.New("database not open")
	if err := g.StoreLogs([]*raft.Log{{Index: 1}}); err == nil || len(*reported) != 0 {
		t.Errorf("answered %v, reported %v", err, *reported)
	}
}
