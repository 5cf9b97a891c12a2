#!/usr/bin/env bash
# Measures FastQueue side by side with its peers, three nodes each, on this machine: see doc.go, and --help for the flags.
#
#   scripts/compare/run.sh                                    everything but the waiting messages: about 40 minutes
#   scripts/compare/run.sh --rounds 1 --duration 2s           a try
#   scripts/compare/run.sh --write --waiting 1000000,10000000 the figures of docs/benchmarks.md
set -euo pipefail
cd "$(dirname "$0")"
go build -o compare .
exec ./compare "$@"
