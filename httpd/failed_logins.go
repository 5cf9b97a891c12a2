package httpd

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
)

// maxFailedLogins is how many wrong passwords are logged one by one in a second: somebody who tries many must not fill the disk.
const maxFailedLogins = 20

// failedLogins writes one line for each wrong password, and the number of those for which there was no line.
type failedLogins struct {
	logger hclog.Logger

	mu      sync.Mutex // guards everything below
	since   time.Time  // when the second began
	logged  int        // lines of this second
	omitted int        // wrong passwords of this second without a line
}

// add logs a wrong password for a name, which may be anything.
func (f *failedLogins) add(r *request, name string) {
	if !f.admit() {
		return
	}
	args := []any{"user", oneLine(name), "from", r.http.RemoteAddr}
	if by := r.http.Header.Values("X-Forwarded-For"); len(by) > 0 {
		args = append(args, "x_forwarded_for", oneLine(strings.Join(by, ", ")))
	}
	f.logger.Info("wrong user name or password", append(args, "path", r.http.URL.Path, "request_id", r.id)...)
}

// admit says whether there may be one more line. The first that may not starts the clock for the count.
func (f *failedLogins) admit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.omitted == 0 && now.Sub(f.since) >= time.Second {
		f.since, f.logged = now, 0
	}
	if f.logged < maxFailedLogins {
		f.logged++
		return true
	}
	if f.omitted++; f.omitted == 1 {
		time.AfterFunc(f.since.Add(time.Second).Sub(now), f.count)
	}
	return false
}

// count ends a second with its last line.
func (f *failedLogins) count() {
	f.mu.Lock()
	omitted := f.omitted
	f.since, f.logged, f.omitted = time.Now(), 0, 0
	f.mu.Unlock()
	f.logger.Info("more wrong user names or passwords", "not_listed", omitted)
}

// oneLine makes of what somebody sent a text that can't be taken for more than one value of a log line.
func oneLine(s string) string {
	return clip(strings.Map(func(c rune) rune { // invalid bytes become U+FFFD, too
		if isUnseen(c) {
			return utf8.RuneError
		}
		return c
	}, s))
}
