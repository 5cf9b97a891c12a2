package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// patience is how long tests wait for what takes a second or two: a deadline against hanging, never a measurement.
const patience = nodes.Patience

// workshop is where the test process keeps the binaries that it builds.
type workshop struct {
	dir   string
	plain func() (string, error) // builds the program as it is, once
}

var shop workshop

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fastqueue-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "workshop:", err)
		os.Exit(1)
	}
	path := filepath.Join(dir, "fastqueue")
	shop = workshop{dir: dir, plain: sync.OnceValues(func() (string, error) { return path, nodes.Build(context.Background(), path) })}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "workshop:", err)
	}
	os.Exit(code)
}

// plainBinary returns the program as it is.
func plainBinary(t *testing.T) string {
	t.Helper()
	path, err := shop.plain()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is one running program. Its output is shown when the test fails.
type process struct {
	*nodes.Process
	t *testing.T
}

// startProcess runs a program, which is killed at the latest when the test ends.
func startProcess(t *testing.T, name, binary string, env, args []string) *process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	p, err := nodes.StartProcess(name, cmd, filepath.Join(t.TempDir(), "log"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		showWhenFailed(t, p)
	})
	return &process{p, t}
}

// showWhenFailed shows the end of a process's output when the test has failed.
func showWhenFailed(t *testing.T, p *nodes.Process) {
	if t.Failed() {
		t.Logf("---- the end of %s's output (%s)\n%s", p.Name, p.Result(), tail(p.Output(), 8<<10))
	}
}

func (p *process) signal(s syscall.Signal) {
	if err := p.Signal(s); err != nil {
		p.t.Error(err)
	}
}

// wait waits for the end of the process and returns its exit code, -1 for a signal.
func (p *process) wait() int {
	p.t.Helper()
	code, err := p.Wait(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return code
}

// says waits until the process has printed a text.
func (p *process) says(text string) {
	p.t.Helper()
	must(p.t, p.WaitSays(p.t.Context(), text))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls a condition until it returns nil.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	eventuallyWithin(t, patience, what, condition)
}

func eventuallyWithin(t *testing.T, limit time.Duration, what string, condition func() error) {
	t.Helper()
	must(t, nodes.Until(t.Context(), limit, what, condition))
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := nodes.FreeAddress()
	must(t, err)
	return address
}

// tail returns the last n bytes of a text.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }
