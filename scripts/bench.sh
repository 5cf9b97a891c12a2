#!/usr/bin/env bash
# Measures a cluster of three real processes on this machine, for each log store: the figures of docs/benchmarks.md.
#
#   scripts/bench.sh            both log stores, 10 s each figure
#   scripts/bench.sh wal 5s     one of them, shorter
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/three_nodes.sh

stores=(${1:-bolt wal})
duration=${2:-10s}

for store in "${stores[@]}"; do
  echo "== log store $store, $(nproc) processors, $(date --utc +%F)"
  start_nodes "$store"
  wait_ready
  for connections in 1 64 256; do
    bench "${urls[@]}" --mode send --connections "$connections" --duration "$duration"
  done
  bench "${urls[@]}" --mode loop --connections 128 --duration "$duration"
  bench "${urls[@]}" --mode batch --connections 16 --duration "$duration"
  echo "-- sends to the leader alone, and spread over all nodes, in turn"
  leader=$(leader_url)
  for _ in 1 2 3; do
    bench --url "$leader" --mode send --connections 256 --duration "$duration" | grep '^send' | sed 's/^send  /leader/'
    bench "${urls[@]}" --mode send --connections 256 --duration "$duration" | grep '^send' | sed 's/^send  /spread/'
  done
  stop_nodes
done
