package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

// maxAttributesText is how many bytes of attributes the environment takes up; the system takes 128 KiB of one variable.
const maxAttributesText = 64 << 10

// jobCount counts what a worker does.
type jobCount struct {
	running, done, failed atomic.Int64
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
	hurry := hurried(c.Context())
	untold := context.AfterFunc(c.Context(), func() { tellStopping(c, count.running.Load()) })
	defer untold()
	err := api.Work(c.Context(), queue, wanted, func(ctx context.Context, d client.Delivery) error {
		count.running.Add(1)
		defer count.running.Add(-1)
		err := o.run(ctx, c, queue, &d, hurry)
		if err != nil {
			count.failed.Add(1)
			return err
		}
		count.done.Add(1)
		return nil
	})
	if err == nil && isClosed(hurry) {
		return errors.New("stopped at once; messages whose commands were ended are received again later")
	}
	if failed := count.failed.Load(); err == nil && failed > 0 && !o.follow {
		err = afterSome(int(count.done.Load()), fmt.Errorf("%d of %d commands failed; their messages are received again later", failed, failed+count.done.Load()))
	}
	return err
}

// tellStopping says why the program does not end at once.
func tellStopping(c *cobra.Command, running int64) {
	if running == 0 {
		return
	}
	jobs := "1 job"
	if running > 1 {
		jobs = fmt.Sprintf("%d jobs", running)
	}
	c.PrintErrf("stopping: waiting up to %d s for %s; press Ctrl-C again to end them now\n", int(client.DefaultDrainTime.Seconds()), jobs)
}

// isClosed says whether a channel is closed on which nothing is sent.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
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
