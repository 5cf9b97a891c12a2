package cluster

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// fakeQueue stands in for one queue of the state machine and for the log.
type fakeQueue struct {
	ready int64

	mu       sync.Mutex // for tests in which timers propose
	proposed []*waiter
}

func (f *fakeQueue) waiters() *waiters {
	return newWaiters(func(string) int64 { return f.ready }, f.propose)
}

func (f *fakeQueue) propose(x *waiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proposed = append(f.proposed, x)
}

// count is how many receives have been proposed.
func (f *fakeQueue) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.proposed)
}

func newWaiter(max int64, wait time.Duration) *waiter {
	return &waiter{queue: "q", max: max, until: time.Now().Add(wait), respond: func(*fsmpb.Result, *Error) {}}
}

func TestOneMessageIsOfferedToOneWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{}
		w := f.waiters()
		never := func(*waiter) { t.Error("a receive expired") }
		first, second, third := newWaiter(1, time.Minute), newWaiter(10, time.Minute), newWaiter(1, time.Minute)
		for _, x := range []*waiter{first, second, third} {
			if err := w.park(x, never); err != nil {
				t.Fatal(err)
			}
		}
		f.ready = 1
		w.wake("q")
		w.wake("q") // the same message again
		if len(f.proposed) != 1 || f.proposed[0] != first {
			t.Fatalf("one message woke %d receives", len(f.proposed))
		}
		f.ready = 3 // two more came before the first receive was applied
		w.wake("q")
		if len(f.proposed) != 2 || f.proposed[1] != second {
			t.Fatalf("the second receive takes up to ten, %d are proposed", len(f.proposed))
		}
		f.ready = 4
		w.wake("q")
		if len(f.proposed) != 3 || f.proposed[2] != third {
			t.Fatalf("%d receives are proposed, want 3", len(f.proposed))
		}
		f.ready = 0
		for _, x := range f.proposed {
			w.finished(x, true)
		}
		if w.any() || len(w.queues) != 0 {
			t.Errorf("%d queues are remembered", len(w.queues))
		}
	})
}

func TestANewReceiveDoesNotOvertakeThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{}
		w := f.waiters()
		waiting := newWaiter(1, time.Minute)
		if err := w.park(waiting, func(*waiter) { t.Error("expired") }); err != nil {
			t.Fatal(err)
		}
		f.ready = 1
		if w.take(newWaiter(1, 0)) {
			t.Error("a new receive took the message of a waiting one")
		}
		w.wake("q")
		if len(f.proposed) != 1 || f.proposed[0] != waiting {
			t.Errorf("proposed: %v", f.proposed)
		}
		if w.take(newWaiter(1, 0)) {
			t.Error("a receive took a message that another one is taking")
		}
		w.finished(waiting, true)
		if !w.take(newWaiter(1, 0)) {
			t.Error("the message is ready again and nobody may take it")
		}
	})
}

func TestAWaitingReceiveExpiresOnTimeAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{}
		w := f.waiters()
		began := time.Now()
		var expired []time.Duration
		expire := func(*waiter) { expired = append(expired, time.Since(began)) }
		short, long := newWaiter(1, time.Second), newWaiter(1, 20*time.Second)
		if err := w.park(short, expire); err != nil {
			t.Fatal(err)
		}
		if err := w.park(long, expire); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(expired) != 1 || expired[0] != time.Second {
			t.Errorf("expired after %v, want one after 1s", expired)
		}
		if !w.remove(long) || w.remove(long) {
			t.Error("a waiting receive can be removed exactly once")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(expired) != 1 {
			t.Errorf("a removed receive expired: %v", expired)
		}
	})
}

func TestTheEndOfATermEndsAllWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{}
		w := f.waiters()
		answers := 0
		for range 3 {
			x := newWaiter(1, time.Minute)
			x.respond = func(_ *fsmpb.Result, err *Error) {
				answers++
				if err.Code != codeNotLeader || err.Unknown {
					t.Errorf("answered %v", err)
				}
			}
			if err := w.park(x, func(*waiter) { t.Error("expired") }); err != nil {
				t.Fatal(err)
			}
		}
		w.close()
		if answers != 3 {
			t.Errorf("%d of 3 receives were answered", answers)
		}
		if err := w.park(newWaiter(1, time.Minute), nil); err == nil {
			t.Error("a receive waits in a term that is over")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
	})
}
