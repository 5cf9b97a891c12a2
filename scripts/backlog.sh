#!/usr/bin/env bash
# What a large backlog costs: memory of three nodes while and after it is built, and the time from start to serving with it.
#
#   scripts/backlog.sh                     10,000,000 messages of 256 bytes, log store bolt
#   scripts/backlog.sh 1000000 wal         fewer, the other log store
#
# RssAnon is what the nodes' heaps take; RssFile are pages of the program and of files, which the kernel may drop.
set -euo pipefail
cd "$(dirname "$0")/.."

messages=${1:-10000000}
store=${2:-bolt}
work=$(mktemp -d)
pids=()
stop_nodes() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  wait || true
  pids=()
}
trap 'kill "${watcher:-}" 2>/dev/null || true; stop_nodes; rm -rf "$work"' EXIT

CGO_ENABLED=0 go build -o "$work/fastqueue" ./cmd/fastqueue
FASTQUEUE_JOIN_TOKEN=$(head -c 32 /dev/urandom | base64)
FASTQUEUE_ADMIN_PASSWORD=$(head -c 18 /dev/urandom | base64)
export FASTQUEUE_JOIN_TOKEN FASTQUEUE_ADMIN_PASSWORD
urls=()
for i in 4 5 6; do urls+=(--url "http://127.0.0.1:19${i}80"); done

start_nodes() {
  local i
  for i in 4 5 6; do
    "$work/fastqueue" serve --node-name "node$i" --data-dir "$work/$i" --http-addr "127.0.0.1:19${i}80" --cluster-addr "127.0.0.1:19${i}81" \
      --peers 127.0.0.1:19481,127.0.0.1:19581,127.0.0.1:19681 --log-store "$store" --log-level error --drain-time 0s >/dev/null &
    pids+=($!)
  done
}
wait_ready() {
  local i
  for i in 4 5 6; do
    for _ in {1..1200}; do
      ! curl --silent --fail "http://127.0.0.1:19${i}80/readyz" >/dev/null || break
      sleep 0.05
    done
  done
}
memory() { # kilobytes of one field of /proc/PID/status for each node
  local pid
  for pid in "${pids[@]}"; do awk -v field="$1:" '$1 == field { printf "%d ", $2 }' "/proc/$pid/status"; done
  echo
}
watch_peak() { # the largest RssAnon of each node so far, ten times a second
  local now peak=(0 0 0) i
  while :; do
    read -ra now < <(memory RssAnon) || return
    for i in 0 1 2; do ((now[i] <= peak[i])) || peak[i]=${now[i]}; done
    echo "${peak[*]}" >"$work/peak.new" && mv "$work/peak.new" "$work/peak"
    sleep 0.1
  done
}

echo "== $messages messages of 256 bytes, log store $store, $(nproc) processors, $(date --utc +%F)"
start_nodes
wait_ready
watch_peak &
watcher=$!
"$work/fastqueue" bench "${urls[@]}" --mode fill --messages "$messages" --size 256 --connections 16 2>/dev/null
echo "RssAnon peak while filling, kB:    $(cat "$work/peak")"
sleep 60
echo "RssAnon a minute later, kB:        $(memory RssAnon)"
echo "RssFile a minute later, kB:        $(memory RssFile)"
kill "$watcher"
du --summarize --block-size=1M "$work"/[456] | awk '{ print "on disk, MiB: " $1 " " $2 }' | sed "s|$work/|node|"

echo "loops with the backlog, 128 clients:"
"$work/fastqueue" bench "${urls[@]}" --mode loop --connections 128 --duration 10s 2>/dev/null | grep -E '^ *(loop|failed)'

stop_nodes
start=$(date +%s%N)
start_nodes
wait_ready
echo "stopped and started again: all three ready after $((($(date +%s%N) - start) / 1000000)) ms"
kill -KILL "${pids[@]}"
wait || true
pids=()
start=$(date +%s%N)
start_nodes
wait_ready
echo "killed and started again:  all three ready after $((($(date +%s%N) - start) / 1000000)) ms"
echo "RssAnon after the restart, kB:     $(memory RssAnon)"
