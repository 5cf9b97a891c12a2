package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// fakeLog stands in for raft: entries wait until the test commits or fails them.
type fakeLog struct {
	mu      sync.Mutex
	entries []*fakeEntry
}

type fakeEntry struct {
	raft.ApplyFuture
	commands []string
	nowMS    int64
	done     chan error
}

func (e *fakeEntry) Error() error { return <-e.done }

func (e *fakeEntry) Response() any {
	results := make([]*fsmpb.Result, len(e.commands))
	for i, c := range e.commands {
		results[i] = &fsmpb.Result{Error: &fsmpb.Error{Code: c}} // so that the test can tell whose result it is
	}
	return results
}

func (l *fakeLog) apply(data []byte, _ time.Duration) raft.ApplyFuture {
	entry := &fsmpb.Entry{}
	if err := proto.Unmarshal(data, entry); err != nil {
		panic(err)
	}
	e := &fakeEntry{nowMS: entry.NowMs, done: make(chan error, 1)}
	for _, c := range entry.Commands {
		e.commands = append(e.commands, string(c))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	return e
}

// hold keeps what is submitted in the queue, as a slow disk does, until release.
func (c *coalescer) hold() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight += maxInFlight
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.inFlight -= maxInFlight
		c.turn.Signal()
	}
}

// outcomes collects what happened to commands, by their data.
type outcomes struct {
	mu  sync.Mutex
	got map[string]string
}

func (o *outcomes) submit(c *coalescer, data string) {
	c.submit(proposal{data: []byte(data), done: func(result *fsmpb.Result, err *Error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		switch {
		case o.got[data] != "":
			o.got[data] += " and again"
		case err == nil:
			o.got[data] = "result of " + result.Error.Code
		case err.Unknown:
			o.got[data] = "unknown"
		default:
			o.got[data] = "not applied: " + err.Code
		}
	}})
}

// of is what happened to a command so far.
func (o *outcomes) of(data string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got[data]
}

func newTestCoalescer(l *fakeLog) (*coalescer, *outcomes) {
	c := newCoalescer(l.apply, func() int64 { return 42 }, func(error) {}, entryLimit, NewMetrics(nil))
	return c, &outcomes{got: map[string]string{}}
}

func TestCommandsThatWaitShareAnEntryInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		c, o := newTestCoalescer(l)
		var want []string
		for i := range 2_000 {
			data := fmt.Sprintf("%04d", i)
			want = append(want, data)
			o.submit(c, data)
			synctest.Wait()
		}
		var sizes []int
		for _, e := range l.entries {
			sizes = append(sizes, len(e.commands))
		}
		if want := []int{1, 1}; !slices.Equal(sizes, want) {
			t.Fatalf("in flight are entries of %v commands, want %v", sizes, want)
		}
		for i := 0; i < len(l.entries); i++ {
			l.entries[i].done <- nil
			synctest.Wait()
		}
		var got []string
		for _, e := range l.entries {
			got = append(got, e.commands...)
			if len(e.commands) > maxEntryCommands || e.nowMS != 42 {
				t.Errorf("an entry of %d commands at %d", len(e.commands), e.nowMS)
			}
		}
		if !slices.Equal(got, want) {
			t.Error("the commands did not enter the log in their order, once each")
		}
		if n := len(l.entries); n > maxInFlight+2_000/maxEntryCommands+1 {
			t.Errorf("2,000 commands made %d entries", n)
		}
		for _, data := range want {
			if o.of(data) != "result of "+data {
				t.Fatalf("command %s: %s", data, o.of(data))
			}
		}
		c.close()
	})
}

// The queue may keep an array for as long as somebody waits in it.
func TestAnsweredCommandsAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		c, o := newTestCoalescer(l)
		release := c.hold()
		o.submit(c, "a")
		place := &c.queue[0]
		release()
		synctest.Wait()
		l.entries[0].done <- nil
		synctest.Wait()
		if o.of("a") != "result of a" || place.data != nil || place.done != nil {
			t.Errorf("%s; kept are %q and its answer: %v", o.of("a"), place.data, place.done != nil)
		}
		c.close()
	})
}

// A second entry is worth its cost when it is not smaller than the one that is in flight, or full.
func TestTheNextEntryIsNoSmallerThanTheOneInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		c, o := newTestCoalescer(l)
		submit := func(n, size int) {
			for range n {
				o.submit(c, strings.Repeat("x", size)+fmt.Sprint(c.waiting()))
			}
			synctest.Wait()
		}
		release := c.hold()
		submit(4, 1)
		release()
		synctest.Wait()
		submit(3, 1)
		if len(l.entries) != 1 {
			t.Errorf("%d entries while 4 commands are in flight and 3 wait, want 1", len(l.entries))
		}
		submit(1, 1)
		if len(l.entries) != 2 || len(l.entries[1].commands) != 4 {
			t.Errorf("%d entries when as many wait as are in flight, want 2", len(l.entries))
		}
		l.entries[0].done <- nil
		submit(1, maxEntryBytes)
		if len(l.entries) != 3 {
			t.Errorf("%d entries when a full one waits, want 3", len(l.entries))
		}
		for _, e := range l.entries[1:] {
			e.done <- nil
		}
		c.close()
	})
}

func TestOnlyWhatCertainlyDidNotHappenIsNotApplied(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, "result of c"},
		{raft.ErrNotLeader, "not applied: not_leader"},
		{raft.ErrEnqueueTimeout, "not applied: not_leader"},
		{raft.ErrLeadershipTransferInProgress, "not applied: not_leader"},
		{raft.ErrLeadershipLost, "unknown"},
		{raft.ErrRaftShutdown, "unknown"},
		{raft.ErrAbortedByRestore, "unknown"},
		{errors.New("anything else"), "unknown"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &fakeLog{}
			c, o := newTestCoalescer(l)
			o.submit(c, "c")
			synctest.Wait()
			l.entries[0].done <- test.err
			synctest.Wait()
			if o.of("c") != test.want {
				t.Errorf("raft says %v: %s, want %s", test.err, o.of("c"), test.want)
			}
			c.close()
		})
	}
}

func TestAnEntryThatIsNotCommittedInTimeIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		c, o := newTestCoalescer(l)
		o.submit(c, "c")
		time.Sleep(entryLimit - time.Millisecond)
		synctest.Wait()
		if o.of("c") != "" {
			t.Errorf("answered early: %s", o.of("c"))
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if o.of("c") != "unknown" {
			t.Errorf("after %s: %q", entryLimit, o.of("c"))
		}
		l.entries[0].done <- nil // late
		synctest.Wait()
		if o.of("c") != "unknown" {
			t.Errorf("answered twice: %s", o.of("c"))
		}
		c.close()
	})
}

func TestWaitingCommandsAreBoundedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		c, o := newTestCoalescer(l)
		release := c.hold()
		big := make([]byte, 1<<20)
		refused := 0
		for range 80 {
			c.submit(proposal{data: big, done: func(_ *fsmpb.Result, err *Error) {
				if err != nil && err.Code == CodeOverloaded && !err.Unknown && err.RetryAfter > 0 {
					refused++
				}
			}})
		}
		if refused != 80-63 {
			t.Errorf("%d of 80 MiB were refused, 17 do not fit into 64 MiB", refused)
		}
		release()
		synctest.Wait()
		for i := 0; i < len(l.entries); i++ {
			l.entries[i].done <- nil
			synctest.Wait()
		}
		o.submit(c, "fits again")
		synctest.Wait()
		l.entries[len(l.entries)-1].done <- nil
		synctest.Wait()
		if got := o.of("fits again"); got != "result of fits again" {
			t.Errorf("after the queue was empty: %s", got)
		}
		c.close()
	})
}

func TestPauseWaitsForWhatIsInFlightAndRefusesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		c, o := newTestCoalescer(l)
		o.submit(c, "before")
		synctest.Wait()
		paused := false
		c.pause()
		go func() { c.settle(); paused = true }()
		synctest.Wait()
		o.submit(c, "during")
		if paused || o.of("during") != "not applied: not_leader" {
			t.Errorf("paused=%v, %q", paused, o.of("during"))
		}
		l.entries[0].done <- nil
		synctest.Wait()
		if !paused || o.of("before") != "result of before" {
			t.Errorf("paused=%v, %q", paused, o.of("before"))
		}
		c.resume()
		o.submit(c, "after")
		synctest.Wait()
		l.entries[1].done <- nil
		synctest.Wait()
		if o.of("after") != "result of after" {
			t.Errorf("after resume: %q", o.of("after"))
		}
		c.close()
		o.submit(c, "late")
		if o.of("late") != "not applied: not_leader" {
			t.Errorf("after close: %q", o.of("late"))
		}
	})
}

// raft#696: the flag of an interrupted leadership transfer may never be cleared, and then every write is refused for ever.
func TestATransferThatDoesNotEndIsNoticed(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	refused := fmt.Errorf("apply: %w", raft.ErrLeadershipTransferInProgress)
	var w transferWatch
	for _, step := range []struct {
		after time.Duration
		err   error
		want  bool
	}{
		{0, refused, false},
		{transferStuck, refused, false},
		{0, nil, false}, // it ended: an entry was applied
		{time.Hour, refused, false},
		{transferStuck, refused, false},
		{time.Millisecond, refused, true},
	} {
		now = now.Add(step.after)
		if got := w.stuck(now, step.err); got != step.want {
			t.Errorf("at %s, %v: %v, want %v", now, step.err, got, step.want)
		}
	}
}

func BenchmarkCoalescing(b *testing.B) {
	c := newCoalescer(func(data []byte, _ time.Duration) raft.ApplyFuture {
		entry := &fsmpb.Entry{}
		if err := proto.Unmarshal(data, entry); err != nil {
			b.Error(err)
		}
		e := &fakeEntry{commands: make([]string, len(entry.Commands)), done: make(chan error, 1)}
		e.done <- nil
		return e
	}, func() int64 { return 1 }, func(error) {}, entryLimit, NewMetrics(nil))
	defer c.close()
	data := make([]byte, 300)
	b.ReportAllocs()
	b.SetParallelism(128)
	b.RunParallel(func(p *testing.PB) {
		done := make(chan struct{}, 1)
		for p.Next() {
			c.submit(proposal{data: data, done: func(*fsmpb.Result, *Error) { done <- struct{}{} }})
			<-done
		}
	})
	entries, commands := c.counts()
	b.ReportMetric(float64(commands)/float64(entries), "commands/entry")
}

func BenchmarkEncodeEntry(b *testing.B) {
	batch := make([]proposal, 256)
	for i := range batch {
		batch[i].data = make([]byte, 300)
	}
	b.ReportAllocs()
	for b.Loop() {
		encodeEntry(1, batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/command")
}
