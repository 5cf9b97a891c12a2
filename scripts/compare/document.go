package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What stands between these two in docs/benchmarks.md is written by this program.
const (
	documentBegin = "<!-- compare: begin -->"
	documentEnd   = "<!-- compare: end -->"
)

// write puts the report and the plot into the documentation of the tree.
func write(tree, text, svg string) error {
	path := filepath.Join(tree, "docs", "benchmarks.md")
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed, err := between(string(document), "![Messages a second of each system](benchmarks.svg)\n\n"+text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(filepath.Join(tree, "docs", "benchmarks.svg"), []byte(svg), 0o644); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(changed), 0o644)
}

// between replaces what stands between the markers.
func between(document, text string) (string, error) {
	before, rest, begun := strings.Cut(document, documentBegin)
	_, after, ended := strings.Cut(rest, documentEnd)
	if !begun || !ended {
		return "", fmt.Errorf("no %s followed by %s", documentBegin, documentEnd)
	}
	return before + documentBegin + "\n\n" + strings.TrimSpace(text) + "\n\n" + documentEnd + after, nil
}
