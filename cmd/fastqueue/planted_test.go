package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// plantedKills is how often the broken leader is killed; each kill loses about ten acknowledged messages.
const plantedKills = 3

// repository is the root of the checkout, as seen from this package's folder.
const repository = "../.."

// TestKillTestCatchesEarlyAck runs the kill test against a leader that acknowledges before it commits: the checker must
// find acknowledged messages that are lost.
func TestKillTestCatchesEarlyAck(t *testing.T) {
	l := startLoad(startClusterOf(t, plantedBinary(t, "ack-before-commit"), 3))
	for range plantedKills {
		l.waitAcknowledged(300, 30)
		l.killLeader(requestsAtKill)
	}
	l.finish()
	sends, _ := l.h.acknowledged()
	lost := len(l.h.findings().lost)
	t.Logf("%d of %d acknowledged messages lost", lost, sends)
	// Not all can be lost: then the checker would be blind, not sharp.
	if lost == 0 || lost > sends/2 {
		t.Errorf("%d of %d acknowledged messages are reported lost; want some, and few", lost, sends)
	}
}

// plantedBinary builds the program with one of the patches of scripts/planted.
func plantedBinary(t *testing.T, patch string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(repository, "scripts", "planted", patch+".patch"))
	if err != nil {
		t.Fatal(err)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for i, f := range parsePatch(string(text)) {
		path, err := filepath.Abs(filepath.Join(repository, f.path))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(path)
		if err != nil && !(f.isNew && errors.Is(err, fs.ErrNotExist)) {
			t.Fatal(err)
		}
		changed, err := f.apply(string(source))
		if err != nil {
			t.Fatalf("planted patch %s: %v", patch, err)
		}
		overlay.Replace[path] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(overlay.Replace[path], []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	overlayPath := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayPath, list, 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := build(filepath.Join(dir, "fastqueue"), "-overlay", overlayPath)
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

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

func TestPlantedPatchesAreAppliedExactly(t *testing.T) {
	const source = "a\nb\nc\nb\nd\n"
	tests := []struct {
		name, patch string
		want        string // empty: refused
	}{
		{"applies whatever its line number", "--- a/x\n+++ b/x\n@@ -100,3 +100,3 @@\n c\n-b\n+B\n d\n", "a\nb\nc\nB\nd\n"},
		{"two hunks", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+A\n@@ -5 +5 @@\n-d\n", "A\nb\nc\nb\n"},
		{"lines that are gone", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-z\n+A\n", ""},
		{"lines that are there twice", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-b\n+B\n", ""},
		{"no hunk", "--- a/x\n+++ b/x\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := parsePatch(test.patch)
			if len(files) != 1 || files[0].path != "x" {
				t.Fatalf("files %+v, want x", files)
			}
			got, err := files[0].apply(source)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}
