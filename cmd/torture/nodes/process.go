package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Process is one running program. What it prints is appended to a file. Its methods may be called by any goroutine.
type Process struct {
	Name string

	cmd     *exec.Cmd
	logPath string
	begin   int64         // where in the file its output begins
	done    chan struct{} // closed when the process has ended
	err     error         // how it ended; read after done
}

// StartProcess starts a command whose output is appended to a file; launch is nil for cmd.Start itself. The process dies with
// this one at the latest.
func StartProcess(name string, cmd *exec.Cmd, logPath string, launch func(*exec.Cmd) error) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	defer log.Close()
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	p := &Process{Name: name, cmd: cmd, logPath: logPath, begin: begin, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = DiesWithParent()
	}
	if launch == nil {
		launch = (*exec.Cmd).Start
	}
	if err := launch(cmd); err != nil {
		return nil, fmt.Errorf("start of %s: %w", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Signal sends a signal; a process that has ended already is no error.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s to %s: %w", s, p.Name, err)
	}
	return nil
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Ended says whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Wait waits for the end of the process and returns its exit code, -1 for a signal.
func (p *Process) Wait(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s is still running: %w", p.Name, ctx.Err())
	}
}

// Result says how the process ended; empty while it runs.
func (p *Process) Result() string {
	if !p.Ended() {
		return ""
	}
	return p.cmd.ProcessState.String()
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns what the process has printed so far.
func (p *Process) Output() string {
	b, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	return string(b[min(p.begin, int64(len(b))):])
}

// Tail returns the last 2 KiB of what the process has printed.
func (p *Process) Tail() string {
	text := p.Output()
	return text[max(0, len(text)-2<<10):]
}

// WaitSays waits until the process has printed a text.
func (p *Process) WaitSays(ctx context.Context, text string) error {
	return Until(ctx, Patience, p.Name+" prints "+text, func() error {
		ended := p.Ended() // asked first: what it has printed before its end counts
		switch {
		case strings.Contains(p.Output(), text):
			return nil
		case ended:
			return Hopeless(fmt.Errorf("it ended without: %s", p.Result()))
		}
		return fmt.Errorf("not yet printed")
	})
}

// ExitCode is the exit code of a process that has ended, -1 for a signal.
func (p *Process) ExitCode() (code int, ended bool) {
	if !p.Ended() {
		return 0, false
	}
	return p.cmd.ProcessState.ExitCode(), true
}
