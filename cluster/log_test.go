package cluster

import (
	"sync"
	"testing"
)

// testLog passes lines to the log of a test until that ends. Raft's transport does not wait for the goroutines of its
// connections when it is closed, and what one of them still says would be a race with the end of the test, which the race
// detector reports as one in this package.
type testLog struct {
	t     testing.TB
	mu    sync.Mutex
	ended bool
}

// newTestLog begins a log that ends before the test does.
func newTestLog(t testing.TB) *testLog {
	l := &testLog{t: t}
	t.Cleanup(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = true
	})
	return l
}

func (l *testLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.t.Logf("%s", line)
	}
	return len(line), nil
}

// endingTest counts the lines that it is told, and ends when a test says so.
type endingTest struct {
	testing.TB
	lines int
	end   func()
}

func (e *endingTest) Logf(string, ...any) { e.lines++ }
func (e *endingTest) Cleanup(f func())    { e.end = f }

func TestNoLogLineComesAfterTheTest(t *testing.T) {
	t.Parallel()
	test := &endingTest{TB: t}
	log := newTestLog(test)
	for _, end := range []func(){func() {}, test.end} {
		end()
		if n, err := log.Write([]byte("line")); n != len("line") || err != nil {
			t.Errorf("a line is refused: %d, %v", n, err)
		}
	}
	if test.lines != 1 {
		t.Errorf("%d lines, want only the one before the end", test.lines)
	}
}
