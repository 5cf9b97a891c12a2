package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// keepRunning runs one node until ctx ends, again and again if need be.
func (d *devCluster) keepRunning(ctx context.Context, i int) {
	for ctx.Err() == nil {
		err := d.runNode(ctx, i)
		if ctx.Err() != nil {
			return
		}
		if !d.ready.Load() {
			d.started <- fmt.Errorf("%s ended before the cluster was ready (%v); its messages are above", d.name(i), err)
			return
		}
		d.out.line(d.name(i), fmt.Sprintf("the process ended (%v) and starts again in %s", err, devRestart))
		select {
		case <-time.After(devRestart):
		case <-ctx.Done():
		}
	}
}

func (d *devCluster) runNode(ctx context.Context, i int) error {
	var peers []string
	for j := range d.nodes {
		peers = append(peers, d.cluster(j))
	}
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("path of this program: %w", err)
	}
	c := exec.CommandContext(ctx, path, "serve",
		"--node-name", d.name(i), "--data-dir", filepath.Join(d.dataDir, d.name(i)),
		"--http-addr", d.http(i), "--cluster-addr", d.cluster(i), "--peers", strings.Join(peers, ","),
		"--drain-time", "0s", "--log-level", d.logLevel, "--disk-reserve", d.reserve, "--config", os.DevNull)
	c.Env = append(foreignVariables(os.Environ()), joinTokenVariable+"="+d.token, adminVariable+"="+d.password)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = devStopLimit
	c.SysProcAttr = childAttributes()
	output, err := c.StderrPipe()
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	// The kernel ends the child when the thread that started it ends; a locked thread lasts as long as this function.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.Start(); err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	d.pids[i].Store(int64(c.Process.Pid))
	d.out.copy(d.name(i), output)
	return c.Wait()
}

// foreignVariables leaves out what is meant for this process: a node of dev has only the settings that dev gives it.
func foreignVariables(environment []string) []string {
	return slices.DeleteFunc(environment, func(entry string) bool { return strings.HasPrefix(entry, variablePrefix) })
}

// lineWriter prints whole lines of several processes, each after the name of its process.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lineWriter) copy(name string, r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l.line(name, lines.Text())
	}
}

func (l *lineWriter) line(name, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s | %s\n", name, text)
}
