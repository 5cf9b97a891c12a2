package httpd

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
)

// maxClipBytes bounds what of a client's words is repeated in errors and logs.
const maxClipBytes = 100

// isWord says whether s has only ASCII letters, digits and the bytes of more.
func isWord(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case strings.IndexByte(more, c) < 0:
			return false
		}
	}
	return true
}

// isQueueName says whether a queue may have this name.
func isQueueName(name string) bool {
	return name != "" && len(name) <= fsm.MaxQueueNameBytes && isWord(name, "-_")
}

// checkQueueName refuses a name that no queue may have.
func checkQueueName(name string) error {
	if strings.HasSuffix(name, ".fifo") {
		return invalid("name", "not end in .fifo: FIFO queues are not supported")
	}
	if !isQueueName(name) {
		return invalid("name", "be 1 to %d characters of A-Z, a-z, 0-9, _ and -", fsm.MaxQueueNameBytes)
	}
	return nil
}

// queueInPath refuses the name in a path that no queue can have: such a queue does not exist.
func queueInPath(r *request) error {
	if !isQueueName(r.queue) {
		return &apiError{code: fsm.CodeQueueNotFound}
	}
	return nil
}

// isUserName says whether a user may have this name.
func isUserName(name string) bool {
	if name == "" || len(name) > fsm.MaxUserNameBytes || name != strings.TrimSpace(name) || !utf8.ValidString(name) {
		return false
	}
	return !strings.ContainsFunc(name, isUnseen)
}

// isUnseen says whether people can't see a character where it stands: two names that look alike would not be the same.
func isUnseen(c rune) bool {
	return unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp) // format characters, line and paragraph separators
}

// checkUserName refuses a name that no user may have.
func checkUserName(name string) error {
	if !isUserName(name) {
		return invalid("username", "be 1 to %d bytes without control or format characters and without spaces at its ends", fsm.MaxUserNameBytes)
	}
	return nil
}

// maxNodeNameBytes bounds the name of a node in a request; none is as long.
const maxNodeNameBytes = 128

// isNodeName says whether a node may have this name.
func isNodeName(name string) bool {
	return name != "" && len(name) <= maxNodeNameBytes && isWord(name, "-_.")
}

// checkNewPassword refuses a password that can't be set.
func checkNewPassword(field, password string) error {
	if auth.CheckPassword(password) != nil {
		return invalid(field, "be %d to %d characters", auth.MinPasswordLength, auth.MaxPasswordLength)
	}
	return nil
}

// required refuses a string that is missing or empty.
func required(field, value string) error {
	if value == "" {
		return invalid(field, "be a string that is not empty")
	}
	return nil
}

// clip shortens a client's words for an error or a log line.
func clip(s string) string {
	if len(s) <= maxClipBytes {
		return s
	}
	s = s[:maxClipBytes]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// nearest returns the known word that needs the fewest edits to become word.
func nearest(word string, known []string) string {
	word = clip(word)
	return slices.MinFunc(known, func(a, b string) int { return distance(word, a) - distance(word, b) })
}

// distance counts the edits between two words, case aside.
func distance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
