# Three nodes of this tree on this machine, for the scripts that measure: source it, then start_nodes STORE and wait_ready.
# Everything is in $work and ends with the script.

work=$(mktemp -d)
pids=()
urls=(--url http://127.0.0.1:19480 --url http://127.0.0.1:19580 --url http://127.0.0.1:19680)

stop_nodes() { # signal: TERM unless another one is named
  ((${#pids[@]} == 0)) || kill "-${1:-TERM}" "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
  pids=()
}
trap 'stop_nodes; rm -rf "$work"' EXIT

CGO_ENABLED=0 go build -o "$work/fastqueue" ./cmd/fastqueue
FASTQUEUE_JOIN_TOKEN=$(head -c 32 /dev/urandom | base64)
FASTQUEUE_ADMIN_PASSWORD=$(head -c 18 /dev/urandom | base64)
export FASTQUEUE_JOIN_TOKEN FASTQUEUE_ADMIN_PASSWORD

start_nodes() { # log store
  local i
  for i in 4 5 6; do
    "$work/fastqueue" serve --node-name "node$i" --data-dir "$work/$1-$i" --http-addr "127.0.0.1:19${i}80" --cluster-addr "127.0.0.1:19${i}81" \
      --peers 127.0.0.1:19481,127.0.0.1:19581,127.0.0.1:19681 --log-store "$1" --log-level error --drain-time 0s >/dev/null 2>>"$work/log" &
    pids+=($!)
  done
}

wait_ready() { # until all three are
  local i try
  for i in 4 5 6; do
    for try in {1..2400}; do
      ! curl --silent --fail "http://127.0.0.1:19${i}80/readyz" >/dev/null || break
      if ((try == 2400)); then
        echo "node$i is not ready after two minutes; the end of the logs:" >&2
        tail "$work/log" >&2
        return 1
      fi
      sleep 0.05
    done
  done
}

leader_url() { # the leader's address
  local i
  for i in 4 5 6; do
    if curl --silent "http://127.0.0.1:19${i}80/metrics" | grep --quiet '^fastqueue_raft_is_leader 1'; then
      echo "http://127.0.0.1:19${i}80"
      return
    fi
  done
  echo "no node leads" >&2
  return 1
}

bench() { "$work/fastqueue" bench "$@" 2>/dev/null; }
