package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fastqueue/fastqueue/client"
)

// receiveOptions are the flags of the receive verb.
type receiveOptions struct {
	to          connection
	out         output
	max         int
	wait        secondsFlag
	visibility  secondsFlag
	delete      bool
	follow      bool
	command     string // of --exec
	concurrency int
}

// followPause is between two receives of which the first failed.
const followPause = time.Second

const receiveLong = `Receive messages and print them. They stay leased until their visibility timeout ends and come back then, unless they are
deleted: by --delete once they are printed, or later by "fastqueue delete" with the printed handles.

With --follow it goes on until it is stopped.

With --exec it is a worker: every message is the standard input of CMD, which runs through sh. When CMD ends with 0 the message
is deleted; otherwise it is ready again after 1 s, twice as long each time it fails, and 5 minutes at most. The lease is extended while CMD
runs. A stopped worker (SIGTERM, Ctrl-C) lets the jobs go on for 30 s, then ends them, and their messages are ready again at
once. A second Ctrl-C ends them now, with everything that they started. Every message is worked on at least once, so CMD must bear doing it twice. CMD finds in its environment:

  FASTQUEUE_QUEUE, FASTQUEUE_MESSAGE_ID
  FASTQUEUE_RECEIVE_COUNT       how often the message was received, 1 at first
  FASTQUEUE_SENT                when it was sent (RFC 3339)
  FASTQUEUE_MESSAGE_ATTRIBUTES  its attributes as JSON, unless they are longer than 64 KiB

Without --follow, --exec ends after --max messages or when there are no more; the exit code tells whether jobs failed.`

func newReceiveCommand() *cobra.Command {
	var o receiveOptions
	c := &cobra.Command{
		Use:   "receive QUEUE",
		Short: "Receive messages, and print them or run a command for each",
		Long:  receiveLong,
		Example: `  fastqueue receive jobs --wait 20s --delete
  fastqueue receive jobs --max 10 -o json
  fastqueue receive jobs --follow --exec './handle-job "$FASTQUEUE_MESSAGE_ID"' --concurrency 4`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.receive(c, args[0]) },
	}
	f := c.Flags()
	o.to.addFlags(f)
	o.out.addFlags(f)
	f.IntVar(&o.max, "max", 1, "how many messages at most; at a time 10 at most, and with --exec and without --follow in all")
	f.Var(&o.wait, "wait", "how long to wait for a first message, at most 20s; 20s with --follow")
	f.Var(&o.visibility, "visibility-timeout", "how long the messages are leased, at most 12h; without it, as long as the queue says, and 30s with --exec")
	f.BoolVar(&o.delete, "delete", false, "delete the messages once they are printed")
	f.BoolVar(&o.follow, "follow", false, "go on until stopped")
	f.StringVar(&o.command, "exec", "", "command to run for each message, whose body is its standard input")
	f.IntVar(&o.concurrency, "concurrency", 1, "how many commands of --exec run at a time")
	return c
}

// validate refuses flags that are out of range or contradict each other. A variable or the configuration file may set what only some
// uses of the verb need, so only a flag that was typed has to be of use.
func (o *receiveOptions) validate(f *pflag.FlagSet) error {
	switch {
	case f.Changed("exec") && strings.TrimSpace(o.command) == "":
		return errors.New("--exec: the command is empty; without --exec messages are printed")
	case o.command == "" && isTyped(f.Lookup("concurrency")):
		return errors.New("--concurrency says nothing without --exec: it is how many commands run at a time")
	case o.command != "" && o.out.json() && isTyped(f.Lookup("output")):
		return errors.New("--output json says nothing with --exec: what is printed is what the commands print")
	case o.max < 1 || o.max > client.MaxBatch && (o.command == "" || o.follow):
		return fmt.Errorf("--max %d: want 1 to %d, or more with --exec and without --follow", o.max, client.MaxBatch)
	case o.wait.value > client.DefaultWait:
		return fmt.Errorf("--wait %s: want at most %s; --follow waits as long as you like", o.wait.value, client.DefaultWait)
	case o.command != "" && o.delete:
		return errors.New("--delete has no say with --exec: a message is deleted when its command ends with 0")
	case o.command != "" && o.visibility.given && o.visibility.value < 2*time.Second:
		return fmt.Errorf("--visibility-timeout %s: want at least 2s with --exec, which extends it", o.visibility.value)
	case o.concurrency < 1:
		return fmt.Errorf("--concurrency %d: want 1 or more", o.concurrency)
	}
	return nil
}

func (o *receiveOptions) receive(c *cobra.Command, queue string) error {
	if err := o.validate(c.Flags()); err != nil {
		return usage(err)
	}
	api, err := openFor(&o.to, &o.out)
	if err != nil {
		return err
	}
	defer api.Close()
	switch {
	case o.command != "":
		return o.work(c, api, queue)
	case o.follow:
		return o.followQueue(c, api, queue)
	}
	deliveries, err := o.receiveOnce(c, api, queue)
	if err == nil && len(deliveries) == 0 && !o.out.json() {
		c.PrintErrln("There is no message to receive.")
	}
	return err
}

// receiveOnce receives and prints, and deletes if it is to. The messages are printed first: better twice than never.
func (o *receiveOptions) receiveOnce(c *cobra.Command, api *client.Client, queue string) ([]client.Delivery, error) {
	wanted := client.ReceiveOptions{Max: o.max, Wait: o.wait.value, VisibilityTimeout: o.visibility.pointer(), SystemAttributes: true}
	if o.follow && !o.wait.given {
		wanted.Wait = client.DefaultWait
	}
	deliveries, err := api.Receive(c.Context(), queue, wanted)
	if errors.Is(err, context.Canceled) && c.Context().Err() != nil {
		return nil, stoppedError{} // what it took is given back by the node that sees it go
	}
	if err != nil {
		return nil, fmt.Errorf("receive from %s: %w", queue, err)
	}
	if o.follow && len(deliveries) == 0 {
		return nil, nil
	}
	if err := o.show(c, deliveries); err != nil || !o.delete || len(deliveries) == 0 {
		return deliveries, err
	}
	var handles, ids []string
	for _, d := range deliveries {
		handles, ids = append(handles, d.ReceiptHandle), append(ids, d.MessageID)
	}
	// Whoever stops the program has seen the messages.
	results, err := api.DeleteBatch(context.WithoutCancel(c.Context()), queue, handles)
	if err != nil {
		return deliveries, partly(fmt.Errorf("delete of what was received from %s: %w", queue, err))
	}
	return deliveries, entryErrors("delete from "+queue, ids, results)
}

// followQueue receives until it is stopped. What passes by itself, such as an election, is told and tried again.
func (o *receiveOptions) followQueue(c *cobra.Command, api *client.Client, queue string) error {
	ctx := c.Context()
	for ctx.Err() == nil {
		_, err := o.receiveOnce(c, api, queue)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if code := exitCode(err); code != exitUnavailable && code != exitUnknown {
			return err
		}
		c.PrintErrln("fastqueue:", err)
		pause(ctx, followPause)
	}
	return nil
}

// show prints messages: as the API answers, or one after the other with the body last.
func (o *receiveOptions) show(c *cobra.Command, deliveries []client.Delivery) error {
	if deliveries == nil {
		deliveries = []client.Delivery{}
	}
	if o.out.json() {
		return printJSON(c.OutOrStdout(), map[string][]client.Delivery{"Messages": deliveries})
	}
	var b strings.Builder
	for _, d := range deliveries {
		fmt.Fprintf(&b, "message %s, sent %s, received for the %s\n", d.MessageID, shownTime(new(d.Sent())), times(d.ReceiveCount()))
		if !o.delete {
			fmt.Fprintf(&b, "handle %s\n", d.ReceiptHandle)
		}
		for _, name := range sortedNames(d.Attributes) {
			fmt.Fprintf(&b, "attribute %s=%s\n", name, shownAttribute(d.Attributes[name]))
		}
		fmt.Fprintf(&b, "%s\n\n", d.Body)
	}
	if _, err := io.WriteString(c.OutOrStdout(), b.String()); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
