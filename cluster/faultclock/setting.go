package faultclock

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// Setting says how wrong a clock is. The zero value is of no use: Right is a clock that is not wrong.
type Setting struct {
	Offset time.Duration `json:"offset_ns"` // how far it is ahead at Since
	Speed  float64       `json:"speed"`     // seconds that it runs in a second, more than 0
	Since  time.Time     `json:"since"`
}

// Right is a clock that is not wrong.
func Right() Setting { return Setting{Speed: 1} }

// At is what the clock shows at a moment. It carries no monotonic reading: the difference of two readings shows every jump.
func (s Setting) At(real time.Time) time.Time {
	strayed := time.Duration((s.Speed - 1) * float64(real.Sub(s.Since)))
	if s.Speed == 1 {
		strayed = 0 // Since may be so long ago that the difference is not exact
	}
	return real.Round(0).Add(s.Offset + strayed)
}

// Write puts a setting into a file, whole or not at all. A clock of this file follows within moments.
func Write(path string, s Setting) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("setting of a clock: %w", err)
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		return fmt.Errorf("setting of a clock: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("setting of a clock: %w", err)
	}
	return nil
}

// read returns what a file says; Right if there is none.
func read(path string) (Setting, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Right(), nil
	}
	if err != nil {
		return Setting{}, err
	}
	var s Setting
	if err := json.Unmarshal(b, &s); err != nil {
		return Setting{}, fmt.Errorf("%s: %w", path, err)
	}
	if !(s.Speed > 0) { // false for NaN, too
		return Setting{}, fmt.Errorf("%s: the speed is %g", path, s.Speed)
	}
	return s, nil
}
