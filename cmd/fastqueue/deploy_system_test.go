//go:build system

package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// TestSystemImageServes runs what the Dockerfile makes: a root directory with the binary and an empty data directory, nothing
// else, entered by the user of the image with the command of the image.
func TestSystemImageServes(t *testing.T) {
	i := readImage(t)
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	i.buildBinary(t, filepath.Join(root, i.entrypoint[0]))
	user, group, _ := strings.Cut(i.user, ":")
	credential := &syscall.Credential{Uid: number(t, user), Gid: number(t, group)}
	data := filepath.Join(root, i.env["FASTQUEUE_DATA_DIR"])
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, int(credential.Uid), int(credential.Gid)); err != nil {
		t.Fatalf("%v: this test needs root", err)
	}
	c := newTestCluster(t, "", 1)
	n := c.nodes[0]
	start := func() {
		// The ports of the image may be taken on this machine, which is not a container.
		args := append(i.cmd[:len(i.cmd):len(i.cmd)], "--http-addr", n.HTTP, "--cluster-addr", n.Peer)
		cmd := exec.Command(i.entrypoint[0], args...)
		cmd.Dir, cmd.Env = "/", testEnv()
		for name, value := range i.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.SysProcAttr = nodes.DiesWithParent()
		cmd.SysProcAttr.Chroot, cmd.SysProcAttr.Credential = root, credential
		must(t, n.StartCommand(cmd))
		n.waitReady()
	}
	start()
	c.createQueueAs(n, "orders")
	if _, err := n.API().Send(t.Context(), "orders", client.Message{Body: "kept"}); err != nil {
		t.Fatal(err)
	}
	n.term()
	if code := n.wait(); code != 0 {
		t.Errorf("ended with code %d, want 0", code)
	}
	start()
	got, err := n.API().Receive(t.Context(), "orders", client.ReceiveOptions{Wait: 5 * time.Second})
	if err != nil || len(got) != 1 || got[0].Body != "kept" {
		t.Errorf("after a restart received %+v, %v; want what was sent before", got, err)
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 2 {
		t.Errorf("the root directory holds %v, %v; want the binary and the data", entries, err)
	}
}

func (c *testCluster) createQueueAs(n *testNode, name string) {
	c.t.Helper()
	if _, err := n.API().CreateQueue(c.t.Context(), name, client.QueueSettings{}); err != nil {
		c.t.Fatal(err)
	}
}

// buildBinary runs the Dockerfile's go build, and wants a binary that needs no other file.
func (i image) buildBinary(t *testing.T, path string) {
	t.Helper()
	command := strings.Replace(i.build, "-o /out/fastqueue ", "-o '"+path+"' ", 1)
	if command == i.build {
		t.Fatalf("%q does not write /out/fastqueue", i.build)
	}
	build := exec.Command("bash", "-c", command)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	binary, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Error("the binary is not static")
		}
	}
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func TestSystemUnitIsValid(t *testing.T) {
	text := repositoryFile(t, "deploy/fastqueue.service")
	installed := strings.ReplaceAll(text, "/usr/local/bin/fastqueue", plainBinary(t))
	if installed == text {
		t.Fatal("the unit does not start /usr/local/bin/fastqueue")
	}
	path := filepath.Join(t.TempDir(), "fastqueue.service")
	if err := os.WriteFile(path, []byte(installed), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", path).CombinedOutput(); err != nil || strings.Contains(string(out), "fastqueue") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// Of 100; a service without any of these settings has 96.
	security := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path)
	if out, err := security.CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

func TestSystemPrometheusFilesAreValid(t *testing.T) {
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"check", "rules", "alerts.yaml"},
		{"test", "rules", "alerts_test.yaml"},
	} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = filepath.Join("..", "..", "deploy", "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}
