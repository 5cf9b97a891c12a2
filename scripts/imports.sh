#!/usr/bin/env bash
# Checks that imports point one way: cmd -> httpd -> cluster -> fsm, with auth a leaf that cmd and httpd use, and client a
# leaf that anyone may use but that uses nothing of ours. Prints every import that breaks the rule.
set -euo pipefail
cd "$(dirname "$0")/.."

module=$(go list -m)
go list -f '{{$p := .ImportPath}}{{range .Imports}}{{$p}} {{.}}{{"\n"}}{{end}}' ./... |
  awk -v module="$module" '
    BEGIN {
      allowed["fsm"] = "fsm"
      allowed["auth"] = "auth"
      allowed["client"] = "client"
      allowed["cluster"] = "cluster fsm"
      allowed["httpd"] = "httpd cluster fsm auth"
      allowed["cmd"] = "cmd httpd cluster fsm auth client"
    }
    function top(path) { sub("^" module "/", "", path); sub("/.*", "", path); return path }
    index($1, module "/") == 1 && index($2, module "/") == 1 {
      from = top($1)
      if (!(from in allowed)) { print "a folder without a rule: " from; bad = 1; next }
      if (index(" " allowed[from] " ", " " top($2) " ") == 0) { print $1 " must not import " $2; bad = 1 }
    }
    # The state machine knows nothing of the world: no network, no chance, no HTTP framework.
    $1 ~ "/fsm$" && $2 ~ "^(net|net/.*|os|os/.*|math/rand|math/rand/v2|crypto/rand|github.com/gin-gonic/gin)$" {
      print $1 " must not import " $2; bad = 1
    }
    $1 ~ "/fsm/store$" && $2 ~ "^(net|net/.*|os/.*|math/rand|math/rand/v2|crypto/rand|github.com/gin-gonic/gin)$" {
      print $1 " must not import " $2; bad = 1
    }
    END { exit bad }'
