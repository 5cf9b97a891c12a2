//go:build system && linux

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cluster"
)

const (
	tinyDisk    = "64m"
	tinyReserve = "8MiB"
	bigBody     = 100_000 // bytes, so that a full disk is noticed after a few messages
)

// TestSystemDiskFull fills the disk of one node of three. It ends with its exit code, and started again it waits, touching
// nothing, until there is room; then it catches up and votes.
func TestSystemDiskFull(t *testing.T) {
	disk := mountTinyDisk(t)
	c := newTestCluster(t, plainBinary(t), 3)
	tiny := c.nodes[2]
	tiny.DataDir = filepath.Join(disk, "data")
	tiny.Flags = []string{"--disk-reserve", tinyReserve, "--segment-bytes", "4MiB"} // the log makes its files in advance
	for i, node := range c.nodes {
		node.Verb = []string{"serve"}
		if i > 0 {
			node.Verb = []string{"join", c.nodes[0].Peer}
		}
		node.start()
		node.waitReady()
	}
	c.waitVoters(3)
	must(t, c.LogIn(t.Context()))
	c.createQueue("big", time.Second)
	filler := filepath.Join(disk, "filler")
	fill(t, filler)

	c.sendUntil(func() bool { return !tiny.Running() })
	if code := tiny.wait(); code != cluster.ExitStorage {
		t.Fatalf("ended with code %d, want %d", code, cluster.ExitStorage)
	}
	before := files(t, tiny.DataDir)
	tiny.startOnFullDisk()
	tiny.term()
	if code := tiny.wait(); code != 0 {
		t.Errorf("asked to stop while it waits, it ended with code %d", code)
	}
	tiny.startOnFullDisk()
	if after := files(t, tiny.DataDir); after != before {
		t.Errorf("while it waits the directory changed from\n%s\nto\n%s", before, after)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	tiny.waitReady()
	// The two others, one of which goes now, are no majority without it.
	c.nodes[1].kill()
	c.waitLeader()
	if _, err := c.client(0).Send(t.Context(), "big", client.Message{Body: "with the vote of the tiny disk"}); err != nil {
		t.Errorf("send: %v", err)
	}
}

// startOnFullDisk starts the node, which waits for room and says so.
func (n *testNode) startOnFullDisk() {
	n.c.t.Helper()
	n.start()
	eventually(n.c.t, n.Name+" waits for room", func() error {
		status, body, err := n.Get("/readyz")
		if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "disk_full") {
			return fmt.Errorf("%d %s, %v", status, body, err)
		}
		return nil
	})
}

// mountTinyDisk returns a directory on a file system of its own. It needs root, as the gate has.
func mountTinyDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+tinyDisk); err != nil {
		t.Fatalf("mount of a small file system (root is needed): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10} {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("filling the disk: %v", err)
		}
	}
}

// sendUntil sends large messages until a condition holds.
func (c *testCluster) sendUntil(done func() bool) {
	c.t.Helper()
	body := strings.Repeat("x", bigBody)
	api := c.client(0)
	eventually(c.t, "enough was sent", func() error {
		if done() {
			return nil
		}
		if _, err := api.Send(c.t.Context(), "big", client.Message{Body: body}); err != nil {
			return err
		}
		return errors.New("not yet")
	})
}

// files lists a directory with the sizes and times of all that is in it.
func files(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		fmt.Fprintln(&list, path, info.Size(), info.ModTime())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}
