package planted

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

func TestPatchesAreAppliedExactly(t *testing.T) {
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

func TestDescription(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(folder(root), 0o700); err != nil {
		t.Fatal(err)
	}
	text := "It forgets\neverything.\n\nFinds: I1, I6\nFaults: kill-all, wipe\nLoad: handoffs\nTest: ./fsm TestMemory\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+A\n"
	if err := os.WriteFile(filepath.Join(folder(root), "amnesia.patch"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := List(root)
	if err != nil || len(all) != 1 {
		t.Fatalf("patches %v, %v", all, err)
	}
	p := all[0]
	if p.Name != "amnesia" || p.About != "It forgets everything." || !slices.Equal(p.Faults, []string{"kill-all", "wipe"}) || p.Load != "handoffs" || p.Test != (Test{"./fsm", "TestMemory"}) {
		t.Errorf("read %+v", p)
	}
	if found := p.Found([]string{"I9 liveness: slow", "I12 x", "I6 replicas differ: a", "I1 lost: b"}); found != "I6 replicas differ: a" {
		t.Errorf("found %q", found)
	}
	if found := p.Found([]string{"I9 liveness: slow"}); found != "" {
		t.Errorf("found %q, which it does not break", found)
	}
}

// TestEveryPatchApplies: one whose lines are no longer in the code proves nothing any more.
func TestEveryPatchApplies(t *testing.T) {
	root, err := nodes.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := List(root)
	if err != nil || len(all) == 0 {
		t.Fatalf("patches %v, %v", all, err)
	}
	for _, p := range all {
		if _, err := p.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}
