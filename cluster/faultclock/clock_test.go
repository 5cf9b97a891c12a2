package faultclock

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAClockFollowsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	start := time.Now()
	now := start
	c := New(path)
	c.real = func() time.Time { return now }
	for _, test := range []struct {
		name    string
		setting *Setting      // nil: the file stays as it is
		at      time.Duration // after the start
		ahead   time.Duration
	}{
		{"no file", nil, 0, 0},
		{"a jump ahead", &Setting{Offset: time.Hour, Speed: 1}, time.Second, time.Hour},
		{"a jump back", &Setting{Offset: -time.Hour, Speed: 1, Since: start}, 2 * time.Second, -time.Hour},
		{"fast", &Setting{Speed: 1.5, Since: start}, 10 * time.Second, 5 * time.Second},
		{"it goes on", nil, 20 * time.Second, 10 * time.Second},
		{"slow, and ahead", &Setting{Offset: time.Minute, Speed: 0.5, Since: start}, 22 * time.Second, 49 * time.Second},
		{"right again", &Setting{Speed: 1}, 23 * time.Second, 0},
	} {
		if test.setting != nil {
			if err := Write(path, *test.setting); err != nil {
				t.Fatal(err)
			}
		}
		now = start.Add(test.at)
		if got := c.Now().Sub(now.Round(0)); (got - test.ahead).Abs() > time.Microsecond {
			t.Errorf("%s: it is %s ahead, want %s", test.name, got, test.ahead)
		}
	}
}

func TestAClockShowsJumpsInDifferences(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	c := New(path)
	before := c.Now()
	if err := Write(path, Setting{Offset: -time.Hour, Speed: 1}); err != nil {
		t.Fatal(err)
	}
	c.looked = time.Time{}
	if ran := c.Now().Sub(before); ran > -59*time.Minute {
		t.Errorf("after a jump of an hour back the clock has run %s", ran)
	}
}

func TestAClockDoesNotGuess(t *testing.T) {
	for _, text := range []string{"", "soon", `{"offset_ns":1}`, `{"speed":-1}`, `{"speed":1`} {
		path := filepath.Join(t.TempDir(), "clock")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken for a setting", text)
				}
			}()
			New(path).Now()
		}()
	}
}
