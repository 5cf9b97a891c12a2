#!/usr/bin/env bash
# The gate: everything that must hold before a change goes in. Without arguments it runs all steps; with names of steps, those.
#
#   scripts/check.sh              about fifteen minutes on two processors
#   scripts/check.sh vet race     two of the steps
set -euo pipefail
cd "$(dirname "$0")/.."

# The race detector needs a C compiler; the longer tests need git, curl, and what deploy/ is written for.
install_missing() {
  local wanted missing=() service sudo=()
  for wanted in gcc:gcc git:git curl:curl haproxy:haproxy promtool:prometheus systemd-analyze:systemd protoc:protobuf-compiler; do # program:package
    command -v "${wanted%:*}" >/dev/null || missing+=("${wanted#*:}")
  done
  ((${#missing[@]} > 0)) || return 0
  ((EUID == 0)) || sudo=(sudo)
  "${sudo[@]}" apt-get update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}" libc6-dev
  # The tests start their own: a machine should not run servers because it ran the gate.
  for service in haproxy prometheus; do
    if [[ -d /run/systemd/system && " ${missing[*]} " == *" $service "* ]]; then
      "${sudo[@]}" systemctl disable --now "$service"
    fi
  done
}

steps=(gofmt vet staticcheck imports determinism generated test race system planted)
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
raced=(./auth/... ./client/... ./cluster/... ./fsm/... ./httpd/...)

step_gofmt() { # gofmt says nothing and succeeds when it finds something: its output is the finding
  local found
  found=$(gofmt -l .)
  if [[ -n $found ]]; then
    echo "not formatted, run gofmt -w on:" >&2
    echo "$found" >&2
    return 1
  fi
}

step_vet() {
  go vet ./...
  go vet -tags system ./...
  go vet -tags faultclock ./cmd/fastqueue
  go -C scripts/compare vet ./...
}

step_staticcheck() {
  go run "$staticcheck" -tags system ./...
  go run "$staticcheck" -tags faultclock ./cmd/fastqueue
  go -C scripts/compare run "$staticcheck" ./...
}

step_imports() { scripts/imports.sh; }

# What Apply does may depend on the log and the state alone. The store may arm a watchdog, but not look at the clock.
step_determinism() {
  local files found
  mapfile -t files < <(find fsm -name '*.go' ! -name '*_test.go' ! -name '*.pb.go')
  found=$(grep -nE '\btime\.(Now|Since|Until|Sleep|Tick|NewTicker)\b|\brand\.|\bos\.(Getenv|LookupEnv|Environ|Hostname|Getpid)\b' "${files[@]}" || true)
  if [[ -n $found ]]; then
    echo "a clock, chance or the environment in fsm:" >&2
    echo "$found" >&2
    return 1
  fi
}

# The generated code is committed, so that building needs only Go. It must be what scripts/generate.sh writes, by whichever
# version of protoc is installed.
step_generated() {
  local trees status=0
  trees=$(mktemp -d)
  mkdir "$trees/committed" "$trees/generated"
  find . -name '*.pb.go' -not -path './.git/*' -exec cp --parents {} "$trees/committed" \;
  scripts/generate.sh "$trees/generated"
  diff --recursive --brief --ignore-matching-lines='^//.*protoc *v' "$trees/committed" "$trees/generated" >&2 || status=1
  rm -rf "$trees"
  ((status == 0)) || echo "generated code is not what scripts/generate.sh writes: run it, and commit what it changes" >&2
  return "$status"
}

step_test() {
  go test ./...
  go -C scripts/compare test ./... # a module of its own; the gate starts no peers
}

# The model of the state machine runs on one goroutine and takes minutes under the race detector.
step_race() { go test -race -timeout 20m -skip '^TestTheStateMachineDoesWhatTheModelDoes$' "${raced[@]}"; }

# Tests that need root or other programs carry the build tag "system" and a name that begins with TestSystem.
step_system() {
  local out
  out=$(go test -tags system -run '^TestSystem' -timeout 15m -v ./... 2>&1) || { echo "$out"; return 1; }
  if ! grep -E '^--- PASS: TestSystem' <<<"$out"; then
    echo "no longer test was run" >&2
    return 1
  fi
}

# A harness that has never been red proves nothing: three of the faults of scripts/planted, one of each kind (acknowledged too
# early, two effects, a lease that does not hold). "go run ./cmd/torture planted" tries all of them.
step_planted() { go run ./cmd/torture planted --any ack-before-commit retry-without-number superseded-receipt; }

run_step() {
  local began=$SECONDS status=0
  echo "==> $1"
  # A subshell of its own, with -e in force: inside "if" or "||" it would be ignored.
  set +e
  (set -e; "step_$1")
  status=$?
  set -e
  if ((status != 0)); then
    echo "==> $1 FAILED" >&2
    exit 1
  fi
  echo "==> $1 passed in $((SECONDS - began)) s"
}

command -v go >/dev/null || { echo "Go is missing: https://go.dev/doc/install" >&2; exit 1; }
install_missing
for name in "${@:-${steps[@]}}"; do
  if [[ $(type -t "step_$name") != function ]]; then
    echo "no step \"$name\"; the steps are: ${steps[*]}" >&2
    exit 2
  fi
  run_step "$name"
done
echo "==> all passed"
