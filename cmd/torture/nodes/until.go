package nodes

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Patience is how long to wait for what takes a second or two: a deadline against hanging, never a measurement.
const Patience = 30 * time.Second

// pollInterval is the time between two looks at a condition.
const pollInterval = 10 * time.Millisecond

// hopeless is an error after which a condition will never hold.
type hopeless struct{ error }

func (h hopeless) Unwrap() error { return h.error }

// Hopeless marks what a condition returns when waiting for it longer is in vain.
func Hopeless(err error) error { return hopeless{err} }

// Until polls a condition until it returns nil, ctx ends, it is Hopeless or the limit is over.
func Until(ctx context.Context, limit time.Duration, what string, condition func() error) error {
	deadline := time.After(limit)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		if h, ok := errors.AsType[hopeless](err); ok {
			return fmt.Errorf("%s: %w", what, h.error)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-deadline:
			return fmt.Errorf("%s: not within %s: %w", what, limit, err)
		}
	}
}

// Pause waits, but not beyond the end of ctx.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
