package main

import (
	"slices"
	"strings"
	"testing"
)

// FuzzParseConfig reads any file as a configuration: it is refused with its name, or has only known settings with values.
func FuzzParseConfig(f *testing.F) {
	for _, text := range []string{
		"", "---\n", "null", "# nothing\n", "peers: [a:1, b:2]\nlog-level: warn\n", "peers:\n  - a:1\n", "drain-time: 3s", "drain-time: |\n  3s\n  4s\n",
		"log-level: &a warn\nnode-name: *a", "<<: {log-level: warn}", "? [a]\n: b", "drain-time:", "drain-time: {a: b}", "drain-time: [[a]]", "- a", "a: b: c",
		"log-level: !!binary AA==", "log-level: \"\\u0000\"", "log-level: 'x", "\xff\xfe", "log-level: \xff", "a: b\n---\nc: d", "log-level: warn\nlog-level: error",
		"log-levle: warn", strings.Repeat("[", 200), strings.Repeat("a: ", 100), strings.Repeat("- ", 100), "a:\n" + strings.Repeat(" ", 300) + "b: c",
		"%YAML 1.2\n---\nlog-level: warn", "log-level: .nan", "log-level: 0x1F", "\t: x", "peers: *unknown", "log-level: >-\n\n\n", "? ", ": ", "&a", "*", "!",
	} {
		f.Add(text)
	}
	known := []string{"peers", "log-level", "drain-time", "node-name", "data-dir"}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 16<<10 {
			return
		}
		settings, err := parseConfig("c.yaml", []byte(text), known)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "c.yaml") || settings != nil {
				t.Errorf("%q: %v, with %v", text, err, settings)
			}
			return
		}
		for name, s := range settings {
			if !slices.Contains(known, name) || s.line < 1 || !s.list && len(s.values) != 1 {
				t.Errorf("%q: %s is %+v", text, name, s)
			}
		}
	})
}
