#!/usr/bin/env bash
# Writes the Go code of the protobuf files anew, here or below another directory. Needs protoc; the generators are built in the
# versions that belong to go.mod.
#
#   scripts/generate.sh            # here
#   scripts/generate.sh /tmp/out   # to compare
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.}
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
export GOBIN=$bin PATH=$bin:$PATH
go install google.golang.org/protobuf/cmd/protoc-gen-go github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto
go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2 # has a version of its own

module=module=github.com/fastqueue/fastqueue
protoc --go_out="$out" --go_opt=$module --go-grpc_out="$out" --go-grpc_opt=$module \
  fsm/fsmpb/fsm.proto fsm/store/storepb/store.proto cluster/clusterpb/cluster.proto
vt() { # coding without reflection, where there is much of it
  protoc --go-vtproto_out="$out" --go-vtproto_opt=$module,features="$1" "${@:2}"
}
vt marshal+unmarshal+size fsm/fsmpb/fsm.proto cluster/clusterpb/cluster.proto
vt marshal+unmarshal+unmarshal_unsafe+size fsm/fsmpb/fsm.proto # again: the state machine reads log entries without copying them
