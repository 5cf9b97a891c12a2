package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// secondsFlag is a time in whole seconds, written as 90 or 1m30s.
type secondsFlag struct {
	value time.Duration
	given bool
}

var _ pflag.Value = (*secondsFlag)(nil)

func (s *secondsFlag) Type() string { return "seconds" }

func (s *secondsFlag) String() string {
	if !s.given && s.value == 0 {
		return ""
	}
	return s.value.String()
}

// Set implements pflag.Value.
func (s *secondsFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, intErr := strconv.ParseInt(text, 10, 32); intErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 || d%time.Second != 0 {
		return errors.New("whole seconds are needed, such as 90 or 1m30s")
	}
	s.value, s.given = d, true
	return nil
}

// pointer returns the time, nil if none was given.
func (s *secondsFlag) pointer() *time.Duration {
	if !s.given {
		return nil
	}
	return &s.value
}

// seconds returns the number of seconds.
func (s *secondsFlag) seconds() int64 { return int64(s.value / time.Second) }
