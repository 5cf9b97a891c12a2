package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

// benchOptions are the flags of the bench verb.
type benchOptions struct {
	connection
	mode        string
	connections int
	size        int // bytes of a message's body
	duration    time.Duration
	rate        float64 // operations a second over all connections; 0: as fast as the answers come
	messages    int     // of mode fill
}

// The three things that can be measured, and one that prepares: one operation is one send; one send, receive and delete of
// one message in turn; one batch of ten sends; fill is batches until as many messages wait as were asked for.
const (
	modeSend  = "send"
	modeLoop  = "loop"
	modeBatch = "batch"
	modeFill  = "fill"
)

// maxBenchConnections bounds the memory of the order check, which grows with its square.
const maxBenchConnections = 4096

const benchExample = `  # 256 connections over three nodes, each sending the next message when the last one is answered
  fastqueue bench --url http://127.0.0.1:9080 --url http://127.0.0.1:9180 --url http://127.0.0.1:9280 \
      --username admin --password-file fastqueue-data/admin-password --connections 256 --duration 10s

  # 500 send-receive-delete loops a second, whatever the answers take
  FASTQUEUE_ADMIN_PASSWORD=... fastqueue bench --mode loop --rate 500 --connections 128

  # a queue with ten million messages that stay there
  FASTQUEUE_ADMIN_PASSWORD=... fastqueue bench --mode fill --messages 10000000`

const benchLong = `Measure a running cluster, and check what it did.

The load runs in a queue of its own, which is deleted at the end. Every connection has one request under way at a time.
Without --rate the loop is closed: the next operation starts when the last one is answered. With --rate operations start
on a schedule, and their time counts from the scheduled start, so waiting behind a slow answer is not left out.

After the load the queue is drained, and every message is looked at: lost (acknowledged, never received), duplicated
(received twice though it was acknowledged once) and out of order (received by one connection after a later message of
the same sender). Any of the three makes the exit code 1.

Mode fill leaves its queue with its messages behind and prints the queue's name: for looking at a node with a backlog.`

func newBenchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure a running cluster and check that nothing was lost",
		Long:    benchLong,
		Example: benchExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return usage(err)
			}
			api, err := o.open()
			if err != nil {
				return err
			}
			defer api.Close()
			return runBench(cmd.Context(), &o, api, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	o.connection.addFlags(f)
	f.StringVar(&o.mode, "mode", modeSend, "send, loop (send, receive, delete one message in turn), batch (ten sends in one request) or fill")
	f.IntVar(&o.connections, "connections", 64, "connections, each with one request under way")
	f.IntVar(&o.size, "size", 256, "bytes of a message's body")
	f.DurationVar(&o.duration, "duration", 10*time.Second, "how long to send")
	f.Float64Var(&o.rate, "rate", 0, "operations a second in all; 0 means as fast as the answers come")
	f.IntVar(&o.messages, "messages", 0, "mode fill: how many messages to leave waiting")
	return cmd
}

// open returns a client of who asks; the password with which a cluster was just made will do, too.
func (o *benchOptions) open() (*client.Client, error) {
	config, err := o.credentials()
	if err != nil {
		return nil, err
	}
	if password := os.Getenv(adminVariable); password != "" && !hasCredential(&config) {
		return o.openAs(adminName, password)
	}
	return o.connection.open()
}

// validate refuses flags outside their range and names the range.
func (o *benchOptions) validate() error {
	switch {
	case !slices.Contains([]string{modeSend, modeLoop, modeBatch, modeFill}, o.mode):
		return fmt.Errorf("--mode %q: want send, loop, batch or fill", o.mode)
	case (o.mode == modeFill) != (o.messages > 0) || o.messages > benchQueueLength:
		return fmt.Errorf("--messages %d: mode fill, and no other, wants 1 to %d", o.messages, benchQueueLength)
	case o.connections < 1 || o.connections > maxBenchConnections:
		return fmt.Errorf("--connections %d: want 1 to %d", o.connections, maxBenchConnections)
	case o.size < labelBytes || o.size > maxBenchBytes/client.MaxBatch:
		return fmt.Errorf("--size %d: want %d to %d bytes", o.size, labelBytes, maxBenchBytes/client.MaxBatch)
	case o.duration <= 0:
		return fmt.Errorf("--duration %s: want more than 0", o.duration)
	case o.rate < 0:
		return fmt.Errorf("--rate %g: want 0 or more", o.rate)
	}
	return nil
}
