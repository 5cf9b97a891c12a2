package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

const (
	jobKillDelay      = 10 * time.Second // between SIGTERM and SIGKILL for a command that must end
	maxAttributesText = 64 << 10         // of attributes in the environment, where the system takes 128 KiB
)

// jobCount counts what a worker did.
type jobCount struct {
	done, failed atomic.Int64
}

// work runs the command for messages until it is stopped, or without --follow until there are no more.
func (o *receiveOptions) work(c *cobra.Command, api *client.Client, queue string) error {
	wanted := client.WorkerOptions{
		Concurrency:       o.concurrency,
		Wait:              o.wait.value,
		VisibilityTimeout: o.visibility.value,
		OnError:           func(err error) { c.PrintErrln("fastqueue:", err) },
	}
	if !o.follow {
		wanted.Limit = o.max
	}
	var count jobCount
	err := api.Work(c.Context(), queue, wanted, func(ctx context.Context, d client.Delivery) error {
		err := o.run(ctx, c, queue, &d)
		if err != nil {
			count.failed.Add(1)
			return err
		}
		count.done.Add(1)
		return nil
	})
	if failed := count.failed.Load(); err == nil && failed > 0 && !o.follow {
		err = afterSome(int(count.done.Load()), fmt.Errorf("%d of %d commands failed; their messages are received again later", failed, failed+count.done.Load()))
	}
	return err
}

// run runs the command for one message. It has a process group of its own, so that a Ctrl-C meant for the worker lets it finish.
func (o *receiveOptions) run(ctx context.Context, c *cobra.Command, queue string, d *client.Delivery) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", o.command)
	cmd.Stdin = strings.NewReader(d.Body)
	cmd.Stdout, cmd.Stderr = c.OutOrStdout(), c.ErrOrStderr()
	cmd.Env = append(os.Environ(), jobEnvironment(queue, d)...)
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = jobKillDelay
	err := cmd.Run()
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// jobEnvironment tells a command of its message.
func jobEnvironment(queue string, d *client.Delivery) []string {
	env := []string{
		"FASTQUEUE_QUEUE=" + queue,
		"FASTQUEUE_MESSAGE_ID=" + d.MessageID,
		"FASTQUEUE_RECEIVE_COUNT=" + strconv.Itoa(d.ReceiveCount()),
		"FASTQUEUE_SENT=" + shownTime(new(d.Sent())),
	}
	if attributes, err := json.Marshal(d.Attributes); err == nil && len(attributes) <= maxAttributesText {
		env = append(env, "FASTQUEUE_MESSAGE_ATTRIBUTES="+string(attributes))
	}
	return env
}
