#!/usr/bin/env bash
# Shows that every step of the gate can fail: for each one a fault is planted in a copy of the tree, and the step must be red.
# Run it by hand after changing check.sh. With names of steps it tries only those.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

plant_gofmt() { printf 'package client\n\nfunc  planted() {}\n' >client/planted.go; }
plant_vet() { printf 'package client\n\nimport "fmt"\n\nfunc Planted() { fmt.Printf("%%d", "x") }\n' >client/planted.go; }
plant_staticcheck() { printf 'package client\n\nfunc planted() {}\n' >client/planted.go; }
plant_imports() { printf 'package auth\n\nimport _ "github.com/fastqueue/fastqueue/client"\n' >auth/planted.go; }
plant_determinism() { printf 'package fsm\n\nimport "time"\n\nfunc Planted() time.Time { return time.Now() }\n' >fsm/planted.go; }
plant_generated() { echo 'message Planted {}' >>fsm/fsmpb/fsm.proto; }
# The steps that run tests are tried with the planted test alone.
alone() { find . -name '*_test.go' -delete; }
plant_test() {
  alone
  printf 'package client\n\nimport "testing"\n\nfunc TestPlanted(t *testing.T) { t.Error("planted") }\n' >client/planted_test.go
}
plant_race() {
  alone
  cat >client/planted_test.go <<'GO'
package client

import "testing"

func TestPlanted(t *testing.T) {
	n, done := 0, make(chan struct{})
	go func() {
		n++
		close(done)
	}()
	n++
	<-done
	t.Log(n)
}
GO
}
plant_system() {
  alone
  printf '//go:build system\n\npackage client\n\nimport "testing"\n\nfunc TestSystemPlanted(t *testing.T) { t.Error("planted") }\n' >client/planted_test.go
}
# A fault that is none must not be found.
plant_planted() {
  printf 'Nothing is broken.\n\n--- a/cluster/clock.go\n+++ b/cluster/clock.go\n@@ -1,1 +1,2 @@\n package cluster\n+// nothing\n' >scripts/planted/ack-before-commit.patch
}

# What the step must say about its fault.
declare -A finding=(
  [gofmt]='client/planted\.go' [vet]='client/planted\.go.*wrong type' [staticcheck]='client/planted\.go.*U1000'
  [imports]='auth must not import' [determinism]='fsm/planted\.go' [generated]='is not what scripts/generate.sh writes'
  [test]='FAIL: TestPlanted' [race]='DATA RACE' [system]='FAIL: TestSystemPlanted' [planted]='ack-before-commit.*NOT FOUND'
)

steps=(gofmt vet staticcheck imports determinism generated test race system planted)
for step in "${@:-${steps[@]}}"; do
  tree=$copy/$step
  mkdir "$tree"
  git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --create --file=- | tar --extract --file=- --directory="$tree"
  (cd "$tree" && git init --quiet && "plant_$step")
  if (cd "$tree" && scripts/check.sh "$step") >"$copy/$step.log" 2>&1; then
    echo "step $step stayed green with a planted fault:" >&2
    cat "$copy/$step.log" >&2
    exit 1
  fi
  if ! grep -E -m1 "${finding[$step]}" "$copy/$step.log"; then
    echo "step $step is red, but not because of the planted fault:" >&2
    cat "$copy/$step.log" >&2
    exit 1
  fi
  echo "==> $step: red, as it should be"
  rm -rf "$tree"
done
