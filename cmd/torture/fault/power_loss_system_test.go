//go:build linux && system

package fault

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/faultfs"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// A node of its own that has just begun to serve loses its power: it is still the founder of the same cluster then, and has
// what it acknowledged.
func TestSystemANewNodeSurvivesPowerLoss(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "fastqueue")
	if err := nodes.Build(ctx, binary); err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{"bolt", "wal"} {
		for _, loss := range []faultfs.Loss{{}, {KeepNames: true, Tear: true}} {
			t.Run(fmt.Sprintf("%s/%+v", store, loss), func(t *testing.T) {
				losePowerAtOnce(ctx, t, binary, store, loss)
			})
		}
	}
}

func losePowerAtOnce(ctx context.Context, t *testing.T, binary, store string, loss faultfs.Loss) {
	dir := t.TempDir()
	disk, err := faultfs.Open(filepath.Join(dir, "disk"), faultfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, err := nodes.New(binary, dir, 1, "--log-store", store)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := c.Nodes[0]
	n.DataDir = filepath.Join(disk.Path(), "of", "node") // two directories that do not exist
	if err := c.Open(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateQueue(ctx, "q", time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := n.API().Send(ctx, "q", client.Message{Body: "acknowledged"}); err != nil {
		t.Fatal(err)
	}
	before, err := n.View(ctx)
	if err != nil {
		t.Fatal(err)
	}
	disk.PowerOff()
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Crash(loss); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	if err := n.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	after, err := n.View(ctx)
	if err != nil || after.Leader == "" || after.ClusterID != before.ClusterID {
		t.Fatalf("the cluster was %s and is %s, %v", before.ClusterID, after.ClusterID, err)
	}
	got, err := n.API().Receive(ctx, "q", client.ReceiveOptions{})
	if err != nil || len(got) != 1 || got[0].Body != "acknowledged" {
		t.Errorf("received %+v, %v", got, err)
	}
}
