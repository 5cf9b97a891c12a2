package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long tests wait for what takes a second or two: a deadline against hanging, never a measurement.
const patience = 30 * time.Second

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
	shop = workshop{dir: dir, plain: sync.OnceValues(func() (string, error) { return build(filepath.Join(dir, "fastqueue")) })}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "workshop:", err)
	}
	os.Exit(code)
}

// build makes a binary of this package with the given flags of go build.
func build(path string, flags ...string) (string, error) {
	args := append([]string{"build", "-o", path}, flags...)
	out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
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

// process is one running program. Its output goes to a file, which is shown when the test fails.
type process struct {
	t       *testing.T
	name    string
	cmd     *exec.Cmd
	logPath string
	done    chan struct{} // closed when the process has ended
	err     error         // how it ended; read after done
}

// startProcess runs a program, which is killed at the latest when the test ends.
func startProcess(t *testing.T, name, binary string, env, args []string) *process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	return startCommand(t, name, cmd)
}

// startCommand runs a command, which is killed at the latest when the test ends.
func startCommand(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log-")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{t: t, name: name, cmd: cmd, logPath: log.Name(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = diesWithParent()
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start of %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.cleanUp)
	return p
}

// cleanUp ends the process and shows the end of its output when the test has failed.
func (p *process) cleanUp() {
	p.signal(syscall.SIGKILL)
	<-p.done
	if p.t.Failed() {
		p.t.Logf("---- the end of %s's output (%v)\n%s", p.name, p.cmd.ProcessState, tail(p.output(), 8<<10))
	}
}

// signal sends a signal; a process that has ended already is no error.
func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !p.ended() {
		p.t.Errorf("signal to %s: %v", p.name, err)
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits for the end of the process and returns its exit code, -1 for a signal.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%s is still running after %s", p.name, patience)
		return 0
	}
}

// output returns what the process has printed so far.
func (p *process) output() string {
	b, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// says waits until the process has printed a text.
func (p *process) says(text string) {
	p.t.Helper()
	eventually(p.t, p.name+" prints "+text, func() error {
		if bytes.Contains([]byte(p.output()), []byte(text)) {
			return nil
		}
		if p.ended() {
			p.t.Fatalf("%s ended without printing %q: %v", p.name, text, p.err)
		}
		return fmt.Errorf("not yet printed")
	})
}

// eventually polls a condition until it returns nil. It is the only place where these tests wait for time to pass.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	eventuallyWithin(t, patience, what, condition)
}

func eventuallyWithin(t *testing.T, limit time.Duration, what string, condition func() error) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		}
	}
}

// tail returns the last n bytes of a text.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }
