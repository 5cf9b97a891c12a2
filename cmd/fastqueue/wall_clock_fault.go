//go:build faultclock

package main

import (
	"os"
	"time"

	"github.com/fastqueue/fastqueue/cluster/faultclock"
)

// wallClock is a clock that a test sets wrong, if the environment names its file.
func wallClock() func() time.Time {
	path := os.Getenv(faultclock.Variable)
	if path == "" {
		return time.Now
	}
	return faultclock.New(path).Now
}
