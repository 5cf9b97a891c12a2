package main

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/trial"
)

// mayMiss is how many faults may miss their moment, again and again, on a busy machine.
const mayMiss = 2

// TestShortRun keeps every promise through the faults of the short run.
func TestShortRun(t *testing.T) {
	dependOnAllSources(t)
	dir := t.TempDir()
	binary := filepath.Join(dir, "fastqueue")
	if err := nodes.Build(t.Context(), binary); err != nil {
		t.Fatal(err)
	}
	r, err := shortRun(t.Context(), t.Output(), binary, filepath.Join(dir, "nodes"), 1, nil, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Violations {
		t.Error(v)
	}
	missed := 0
	for _, w := range r.Weak {
		if !strings.Contains(w, trial.NoEffect) {
			t.Error(w)
		} else if missed++; missed > mayMiss {
			t.Errorf("not enough evidence: %q", r.Weak)
		}
	}
}

// dependOnAllSources looks at every directory of the repository: "go test" repeats a result only if nothing has changed in
// what the test looked at, and it can't know that the program which the test builds and runs is made of them.
func dependOnAllSources(t *testing.T) {
	t.Helper()
	root, err := nodes.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
