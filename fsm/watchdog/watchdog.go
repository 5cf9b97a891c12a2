// Package watchdog notices calls that do not come back, such as those to a disk that hangs.
package watchdog

import (
	"sync/atomic"
	"time"
)

// looks is how often a call is looked at before it counts as hanging.
const looks = 10

// Watch calls hung, once, if stop has not been called when limit is over. A process that is halted meanwhile, by SIGSTOP or
// with its machine, has waited for nothing: the limit is a number of looks, and such a time is at most one of them.
func Watch(limit time.Duration, hung func()) (stop func()) {
	w := &watch{hung: hung, every: limit / looks}
	timer := time.AfterFunc(w.every, func() { w.look(1) })
	return func() {
		w.stopped.Store(true)
		timer.Stop()
	}
}

type watch struct {
	stopped atomic.Bool
	hung    func()
	every   time.Duration
}

func (w *watch) look(n int) {
	switch {
	case w.stopped.Load():
	case n < looks:
		time.AfterFunc(w.every, func() { w.look(n + 1) })
	default:
		w.hung()
	}
}
