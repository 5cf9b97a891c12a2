package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newQueueCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "queue",
		Short: "Create, look at, change and delete queues",
		Example: `  fastqueue queue create jobs --visibility-timeout 5m
  fastqueue queue show jobs`,
	}
	c.AddCommand(
		newQueueCreateCommand(),
		newQueueListCommand(),
		newQueueShowCommand(),
		newQueueUpdateCommand(),
		newQueueDeleteCommand(),
		newQueuePurgeCommand(),
	)
	return c
}

// queueTable shows queues, a line for each.
func queueTable(queues ...client.Queue) func(*tabwriter.Writer) {
	return func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "QUEUE\tMESSAGES\tMAX LENGTH\tVISIBILITY TIMEOUT")
		for _, q := range queues {
			fmt.Fprintf(t, "%s\t%d\t%d\t%ds\n", q.Name, q.MessageCount, q.MaxLength, q.VisibilityTimeout)
		}
	}
}
