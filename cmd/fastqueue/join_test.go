package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

func TestJoinRefusals(t *testing.T) {
	c := startCluster(t, 1)
	target := c.nodes[0].Peer
	join := func(t *testing.T, target, token, dataDir string) *process {
		return startProcess(t, "join", c.Binary, []string{"FASTQUEUE_JOIN_TOKEN="}, []string{"join", target, "--token", token,
			"--data-dir", dataDir, "--http-addr", freeAddress(t), "--cluster-addr", freeAddress(t), "--node-name", "stranger"})
	}
	t.Run("wrong token", func(t *testing.T) {
		refusal(t, join(t, target, nodes.JoinToken+"x", t.TempDir()), "token")
	})
	t.Run("token too short", func(t *testing.T) {
		refusal(t, join(t, target, "swordfish", t.TempDir()), "token")
	})
	t.Run("nobody there", func(t *testing.T) {
		nobody := freeAddress(t)
		refusal(t, join(t, nobody, nodes.JoinToken, t.TempDir()), nobody)
	})
	t.Run("another cluster's data", func(t *testing.T) {
		other := startCluster(t, 1)
		other.nodes[0].kill()
		refusal(t, join(t, target, nodes.JoinToken, other.nodes[0].DataDir), "cluster")
		if _, err := os.Stat(filepath.Clean(other.nodes[0].DataDir)); err != nil {
			t.Errorf("the other cluster's data: %v", err)
		}
		other.nodes[0].start()
		other.nodes[0].waitReady()
	})
}

func TestJoinOnAMembersDirectoryJustStartsTheNode(t *testing.T) {
	c := startCluster(t, 3)
	joined := c.nodes[2]
	for _, verb := range [][]string{joined.Verb, {"serve"}} {
		joined.kill()
		joined.Verb = verb
		joined.start()
		joined.waitReady()
	}
	c.waitVoters(3)
	c.createQueue("orders", time.Second)
}
