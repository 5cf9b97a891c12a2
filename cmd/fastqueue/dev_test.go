package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const devTestNodes = 3

func TestDevRunsThreeNodesUntilInterrupted(t *testing.T) {
	port, dir := freeDevPort(t), t.TempDir()
	dev := startDev(t, port, dir)
	// Ctrl-C, as a supervisor would send it: to the process alone, which must stop its children itself.
	dev.signal(syscall.SIGINT)
	if code := dev.wait(); code != 0 {
		t.Errorf("dev ended with code %d, want 0", code)
	}
	waitStopped(t, port, dir)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < devTestNodes {
		t.Errorf("data directory holds %v, %v; want a directory per node", entries, err)
	}
}

// TestDevQuickStart pastes what dev prints into a shell.
func TestDevQuickStart(t *testing.T) {
	dev := startDev(t, freeDevPort(t), t.TempDir())
	_, text, found := strings.Cut(dev.Output(), "In another terminal:")
	commands, _, _ := strings.Cut(text, "The same with curl")
	if !found || strings.Count(commands, "\n") < 5 {
		t.Fatalf("dev prints no quick start:\n%s", dev.Output())
	}
	stdout, stderr, code := runProgram(t, "/bin/sh", []string{"XDG_CONFIG_HOME=" + t.TempDir()}, "set -e\n"+commands)
	if code != 0 || !strings.HasPrefix(stdout, "Healthy.") || !strings.Contains(stdout, "hello") {
		t.Errorf("code %d from\n%s\n%s%s", code, commands, stdout, stderr)
	}
}

func TestDevNodesEndWhenTheirParentIsKilled(t *testing.T) {
	port, dir := freeDevPort(t), t.TempDir()
	dev := startDev(t, port, dir)
	dev.signal(syscall.SIGKILL)
	dev.wait()
	waitStopped(t, port, dir)
}

func TestDevDefaults(t *testing.T) {
	flags := newDevCommand().Flags()
	for name, want := range map[string]string{"nodes": "3", "port": "9080"} {
		if got := flags.Lookup(name).DefValue; got != want {
			t.Errorf("--%s is %s by default, want %s", name, got, want)
		}
	}
}

// startDev runs dev and returns when all its nodes are ready and it has said how to reach them.
func startDev(t *testing.T, port int, dir string) *process {
	t.Helper()
	t.Cleanup(func() { waitStopped(t, port, dir) }) // its nodes end a moment after it, and write until then
	dev := startProcess(t, "dev", plainBinary(t), testEnv(), []string{"dev", "--data-dir", dir, "--port", strconv.Itoa(port)})
	dev.says("curl")
	for i := range devTestNodes {
		if err := readyAt(t, port+i*devPortStep); err != nil {
			t.Errorf("node %d, of which dev says that it is ready: %v", i, err)
		}
	}
	return dev
}

// freeDevPort returns a port from which the ports of all nodes are free, as far as one can know.
func freeDevPort(t *testing.T) int {
	t.Helper()
	var port int
	eventually(t, "free ports for dev", func() error {
		_, text, err := net.SplitHostPort(freeAddress(t))
		if err != nil {
			return err
		}
		if port, err = strconv.Atoi(text); err != nil {
			return err
		}
		for i := range devTestNodes {
			for _, p := range []int{port + i*devPortStep, port + i*devPortStep + 1} {
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
				if err != nil {
					return err
				}
				if err := l.Close(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return port
}

// waitStopped waits until nobody listens on dev's ports any more and no node holds its directory: the lock of the log is the
// last thing that a node gives back.
func waitStopped(t *testing.T, port int, dir string) {
	t.Helper()
	for i := range devTestNodes {
		must(t, nodes.Until(context.Background(), patience, fmt.Sprintf("node %d has stopped", i), func() error { // also after the test
			if err := readyAt(t, port+i*devPortStep); !errors.Is(err, syscall.ECONNREFUSED) {
				return fmt.Errorf("still there: %v", err)
			}
			return unlocked(filepath.Join(dir, fmt.Sprintf("node%d", i+1), "log", "LOCK"))
		}))
	}
}

// unlocked returns an error while a process holds the lock on a file, if there is one.
func unlocked(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), f.Close())
}

// readyAt asks the node at a loopback port whether it is ready.
func readyAt(t *testing.T, port int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", port), nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}
