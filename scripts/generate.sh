#!/usr/bin/env bash
# Writes the Go code of the protobuf files anew. Needs protoc, protoc-gen-go and protoc-gen-go-grpc on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
protoc --go_out=. --go_opt=module=github.com/fastqueue/fastqueue \
  --go-grpc_out=. --go-grpc_opt=module=github.com/fastqueue/fastqueue \
  fsm/fsmpb/fsm.proto fsm/store/storepb/store.proto cluster/clusterpb/cluster.proto
