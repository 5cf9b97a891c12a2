#!/usr/bin/env bash
# Measures a cluster of three real processes on this machine, for each log store: the figures of docs/benchmarks.md.
#
#   scripts/bench.sh            both log stores, 10 s each figure
#   scripts/bench.sh wal 5s     one of them, shorter
set -euo pipefail
cd "$(dirname "$0")/.."

stores=(${1:-bolt wal})
duration=${2:-10s}
work=$(mktemp -d)
pids=()
stop_nodes() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  wait || true
  pids=()
}
trap 'stop_nodes; rm -rf "$work"' EXIT

CGO_ENABLED=0 go build -o "$work/fastqueue" ./cmd/fastqueue
FASTQUEUE_JOIN_TOKEN=$(head -c 32 /dev/urandom | base64)
FASTQUEUE_ADMIN_PASSWORD=$(head -c 18 /dev/urandom | base64)
export FASTQUEUE_JOIN_TOKEN FASTQUEUE_ADMIN_PASSWORD
peers=127.0.0.1:19481,127.0.0.1:19581,127.0.0.1:19681
urls=()
for i in 4 5 6; do urls+=(--url "http://127.0.0.1:19${i}80"); done

start_nodes() { # log store
  local i
  for i in 4 5 6; do
    "$work/fastqueue" serve --node-name "bench$i" --data-dir "$work/$1-$i" --http-addr "127.0.0.1:19${i}80" \
      --cluster-addr "127.0.0.1:19${i}81" --peers "$peers" --log-store "$1" --log-level error --drain-time 0s >/dev/null &
    pids+=($!)
  done
  for i in 4 5 6; do
    for _ in {1..300}; do
      ! curl --silent --fail "http://127.0.0.1:19${i}80/readyz" >/dev/null || break
      sleep 0.1
    done
  done
}

for store in "${stores[@]}"; do
  echo "== log store $store, $(nproc) processors, $(date --utc +%F)"
  start_nodes "$store"
  for connections in 1 64 256; do
    "$work/fastqueue" bench "${urls[@]}" --mode send --connections "$connections" --duration "$duration" 2>/dev/null
  done
  "$work/fastqueue" bench "${urls[@]}" --mode loop --connections 128 --duration "$duration" 2>/dev/null
  "$work/fastqueue" bench "${urls[@]}" --mode batch --connections 16 --duration "$duration" 2>/dev/null
  stop_nodes
done
