package planted

import (
	"errors"
	"fmt"
	"strings"
)

// filePatch is what a unified diff does to one file.
type filePatch struct {
	path  string
	isNew bool // the patch brings the file
	hunks []hunk
}

// hunk replaces old, which must be in the file exactly once.
type hunk struct{ old, new string }

// parsePatch reads a unified diff. Line numbers say nothing here: the old lines must be found by themselves.
func parsePatch(text string) []*filePatch {
	var files []*filePatch
	isNew := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "--- "):
			isNew = strings.TrimSpace(line) == "--- /dev/null"
		case strings.HasPrefix(line, "+++ b/"):
			files = append(files, &filePatch{path: strings.TrimSpace(line[len("+++ b/"):]), isNew: isNew})
		case len(files) == 0: // a description before the first file
		case strings.HasPrefix(line, "@@"):
			f := files[len(files)-1]
			f.hunks = append(f.hunks, hunk{})
		default:
			files[len(files)-1].add(line)
		}
	}
	return files
}

// add puts one line of the diff into the present hunk.
func (f *filePatch) add(line string) {
	if len(f.hunks) == 0 {
		return
	}
	h := &f.hunks[len(f.hunks)-1]
	switch line[0] {
	case '-':
		h.old += line[1:]
	case '+':
		h.new += line[1:]
	case ' ':
		h.old += line[1:]
		h.new += line[1:]
	}
}

func (f *filePatch) apply(source string) (string, error) {
	if len(f.hunks) == 0 {
		return "", errors.New("the patch of " + f.path + " changes nothing")
	}
	for i, h := range f.hunks {
		if n := strings.Count(source, h.old); n != 1 {
			return "", fmt.Errorf("hunk %d of %s no longer applies: its old lines are in the file %d times, want once", i+1, f.path, n)
		}
		source = strings.Replace(source, h.old, h.new, 1)
	}
	return source, nil
}
