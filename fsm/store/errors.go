package store

import (
	"errors"
	"fmt"
	"time"
)

// ErrStream is wrapped by every refusal of a received stream: it was cut short, damaged or made by another version.
// Nothing has changed.
var ErrStream = errors.New("state stream refused")

// ErrRestart is returned by Restore when the install is complete but the node has to start again before it goes on.
var ErrRestart = errors.New("state installed, the node restarts")

// hangError says that a call of the engine does not come back: with a full disk Pebble retries for ever.
type hangError struct {
	what  string
	limit time.Duration
}

func (e *hangError) Error() string {
	return fmt.Sprintf("%s has not finished within %s: is the disk full or hanging?", e.what, e.limit)
}

// refusal is an error about a directory with which nothing is wrong: another process uses it, or another version made it.
type refusal struct{ error }

// Refused tells it from the errors of a disk, also across packages.
func (refusal) Refused() bool { return true }

func (r refusal) Unwrap() error { return r.error }

func wrap(what string, err error) error { return fmt.Errorf("%s: %w", what, err) }

func streamError(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrStream, fmt.Errorf(format, args...))
}
