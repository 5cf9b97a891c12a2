package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

const (
	jobKillDelay = 10 * time.Second      // between SIGTERM and SIGKILL for a command that must end
	jobPoll      = 50 * time.Millisecond // between two looks whether all of its processes have ended
)

// hurriedError is why a command was killed after the second signal.
type hurriedError struct{}

func (hurriedError) Error() string { return "it was ended by the second signal" }

// job is one run of the command of --exec. It has a process group of its own, so that a Ctrl-C meant for the worker lets it finish,
// and so that it can be ended with everything that it started.
type job struct {
	cmd    *exec.Cmd
	hurry  <-chan struct{} // closed when it must end at once
	killAt time.Time       // when SIGKILL is due; set when its context has ended
}

// run runs the command for one message. When ctx ends the process group gets SIGTERM, and SIGKILL after jobKillDelay or in a hurry;
// run returns when none of its processes is left.
func (o *receiveOptions) run(ctx context.Context, c *cobra.Command, queue string, d *client.Delivery, hurry <-chan struct{}) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	j := &job{cmd: exec.CommandContext(ctx, "sh", "-c", o.command), hurry: hurry}
	j.cmd.Stdin = strings.NewReader(d.Body)
	j.cmd.Stdout, j.cmd.Stderr = c.OutOrStdout(), c.ErrOrStderr()
	j.cmd.Env = append(os.Environ(), jobEnvironment(queue, d)...)
	j.cmd.SysProcAttr = childAttributes()
	j.cmd.Cancel = func() error {
		j.killAt = time.Now().Add(jobKillDelay)
		return j.signal(syscall.SIGTERM)
	}
	j.cmd.WaitDelay = jobKillDelay
	if err := j.cmd.Start(); err != nil {
		return fmt.Errorf("start of the command: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-hurry:
			end(hurriedError{})           // first, so that run knows why the command ended
			_ = j.signal(syscall.SIGKILL) // what has ended already is what is wanted
		case <-ended:
		}
	}()
	err := j.cmd.Wait()
	close(ended)
	if err == nil || ctx.Err() == nil {
		return err
	}
	j.endGroup()
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}

// signal sends a signal to all processes of the job.
func (j *job) signal(s syscall.Signal) error {
	err := syscall.Kill(-j.cmd.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// endGroup waits for what the command has started and not waited for, and kills it when its time is over.
func (j *job) endGroup() {
	tick := time.NewTicker(jobPoll)
	defer tick.Stop()
	for j.signal(0) == nil && time.Now().Before(j.killAt) {
		select {
		case <-tick.C:
		case <-j.hurry:
			j.killAt = time.Now()
		}
	}
	_ = j.signal(syscall.SIGKILL) // mostly nothing is left
}
