#!/usr/bin/env bash
# What a large backlog costs: memory of three nodes while and after it is built, and the time from start to serving with it.
#
#   scripts/backlog.sh                     10,000,000 messages of 256 bytes, log store wal
#   scripts/backlog.sh 1000000 wal         fewer, the other log store
#
# RssAnon is what the nodes' heaps take; RssFile are pages of the program and of files, which the kernel may drop.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/three_nodes.sh

messages=${1:-10000000}
store=${2:-wal}

memory() { # kilobytes of one field of /proc/PID/status for each node
  local pid
  for pid in "${pids[@]}"; do awk -v field="$1:" '$1 == field { printf "%d ", $2 }' "/proc/$pid/status"; done
  echo
}

watch_peak() { # the largest RssAnon of each node so far, ten times a second, in $work/peak
  local now peak=(0 0 0) i
  while [[ -e $work/watching ]]; do
    read -ra now < <(memory RssAnon)
    for i in 0 1 2; do ((now[i] <= peak[i])) || peak[i]=${now[i]}; done
    echo "${peak[*]}" >"$work/peak"
    sleep 0.1
  done
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

restart() { # how: milliseconds until all nodes answer again
  local start
  start=$(milliseconds)
  start_nodes "$store"
  wait_ready
  echo "$1 and started again: all three ready after $(($(milliseconds) - start)) ms"
}

loops() { bench "${urls[@]}" --mode loop --connections 128 --duration 10s | grep -E '^(loop|failed)'; }

echo "== $messages messages of 256 bytes, log store $store, $(nproc) processors, $(date --utc +%F)"
start_nodes "$store"
wait_ready
echo "loops before, 128 clients:"
loops
touch "$work/watching"
watch_peak &
watcher=$!
bench "${urls[@]}" --mode fill --messages "$messages" --size 256 --connections 64
rm "$work/watching"
wait "$watcher"
echo "RssAnon, peak while filling, kB:   $(cat "$work/peak")"
sleep 60
echo "RssAnon, a minute later, kB:       $(memory RssAnon)"
echo "RssFile, a minute later, kB:       $(memory RssFile)"
du --summarize --block-size=1M "$work/$store"-[456] | awk '{ printf "%s ", $1 } END { print "" }' | sed 's/^/on disk, MiB:                      /'
echo "loops with the backlog, 128 clients:"
loops
stop_nodes
restart "stopped"
loops
echo "RssAnon after that, kB:            $(memory RssAnon)"
stop_nodes KILL
restart "killed "
loops
