package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestOnlyATestBuildHasAFaultClock: nobody shall be able to set the clock of a node that is in use.
func TestOnlyATestBuildHasAFaultClock(t *testing.T) {
	for tags, want := range map[string]bool{"": false, "system": false, "faultclock": true} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", tags, ".").Output()
		if err != nil {
			t.Fatalf("go list -tags %q: %v", tags, err)
		}
		if has := strings.Contains(string(out), "cluster/faultclock\n"); has != want {
			t.Errorf("built with the tags %q it has a fault clock: %v, want %v", tags, has, want)
		}
	}
}
