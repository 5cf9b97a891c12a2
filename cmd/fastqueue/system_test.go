//go:build system

package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// These are the longer tests with real processes: the gate runs them, "go test ./..." does not.

func TestSystemLeaderKillsOnTheOtherLogStore(t *testing.T) {
	surviveLeaderKills(t, startCluster(t, 3, "--log-store", "bolt"))
}

// TestSystemAThousandUsersEachOnADifferentNode registers, logs in, creates a queue and sends, each step on another node than
// the one before: no node may refuse what another has just made.
func TestSystemAThousandUsersEachOnADifferentNode(t *testing.T) {
	c := startCluster(t, 3)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for round := next.Add(1); round <= 1_000 && !t.Failed(); round = next.Add(1) {
				if err := firstMinute(t.Context(), c, int(round)); err != nil {
					t.Error(fmt.Errorf("round %d: %w", round, err))
				}
			}
		})
	}
	workers.Wait()
}
