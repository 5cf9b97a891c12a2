package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a server that this program started. It has a process group of its own, and dies with this program.
type process struct {
	command *exec.Cmd
	log     string        // path of what it prints
	ended   chan struct{} // closed when it has ended
}

// startProcess starts a program whose output goes to dir/log. env is added to this program's environment.
func startProcess(dir string, env []string, program string, args ...string) (*process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("directory of %s: %w", filepath.Base(program), err)
	}
	p := &process{command: exec.Command(program, args...), log: filepath.Join(dir, "log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", filepath.Base(program), err)
	}
	defer log.Close()
	p.command.Dir = dir
	p.command.Env = append(os.Environ(), env...)
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start of %s: %w", filepath.Base(program), err)
	}
	go func() {
		_ = p.command.Wait() // how it ended is in its log
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// kill ends the process and its group at once.
func (p *process) kill() {
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL) // it may have ended by itself
	<-p.ended
}

// terminate asks the process to end and waits until it has.
func (p *process) terminate(ctx context.Context) error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop of process %d: %w", p.pid(), err)
	}
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// killAll ends processes, of which some may be nil because a start has failed.
func killAll(processes []*process) {
	for _, p := range processes {
		if p != nil {
			p.kill()
		}
	}
}

// readyTime is how long a system may take to serve; RabbitMQ takes the longest.
const readyTime = 3 * time.Minute

// tryTime bounds one try to find out: a request may get lost while a cluster forms.
const tryTime = 30 * time.Second

// await calls ready until it succeeds. It gives up when one of the processes has ended, and after readyTime.
func await(ctx context.Context, what string, processes []*process, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for {
		try, end := context.WithTimeout(ctx, tryTime)
		err := ready(try)
		end()
		if err == nil {
			return nil
		}
		for _, p := range processes {
			select {
			case <-p.ended:
				return fmt.Errorf("%s: the process has ended; the end of its log:\n%s", what, p.logEnd())
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not ready: %w", what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// logEnd returns the last lines that the process has printed.
func (p *process) logEnd() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-15):], []byte("\n"))
}
