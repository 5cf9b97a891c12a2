#!/usr/bin/env bash
# Writes the Go code of the protobuf files anew. Needs protoc, protoc-gen-go, protoc-gen-go-grpc and protoc-gen-go-vtproto
# (of the version of github.com/planetscale/vtprotobuf in go.mod) on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
protoc --go_out=. --go_opt=module=github.com/fastqueue/fastqueue \
  --go-grpc_out=. --go-grpc_opt=module=github.com/fastqueue/fastqueue \
  fsm/fsmpb/fsm.proto fsm/store/storepb/store.proto cluster/clusterpb/cluster.proto
protoc --go-vtproto_out=. --go-vtproto_opt=module=github.com/fastqueue/fastqueue,features=marshal+unmarshal+size \
  fsm/fsmpb/fsm.proto cluster/clusterpb/cluster.proto # coding without reflection, where there is much of it
