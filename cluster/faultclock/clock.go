package faultclock

import (
	"fmt"
	"sync"
	"time"
)

// Variable is the environment variable that names the file of a node's clock.
const Variable = "FASTQUEUE_FAULT_CLOCK"

// lookAgain is how old what a clock knows of its file may be.
const lookAgain = 10 * time.Millisecond

// Clock is a clock that its file sets. Its methods may be called by any goroutine.
type Clock struct {
	path string
	real func() time.Time

	mu      sync.Mutex
	setting Setting
	looked  time.Time
}

// New makes the clock of a file, which need not exist yet: until it does the clock is right.
func New(path string) *Clock { return &Clock{path: path, real: time.Now} }

// Now is what the clock shows. A file that says nothing sensible ends the process: the test would prove nothing.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.real()
	if c.looked.IsZero() || now.Sub(c.looked) >= lookAgain {
		s, err := read(c.path)
		if err != nil {
			panic(fmt.Sprintf("fault clock: %v", err))
		}
		c.setting, c.looked = s, now
	}
	return c.setting.At(now)
}
