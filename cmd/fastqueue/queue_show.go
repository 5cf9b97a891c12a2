package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newQueueShowCommand() *cobra.Command {
	var to connection
	var out output
	c := &cobra.Command{
		Use:   "show QUEUE",
		Short: "Show a queue's settings and what its messages wait for",
		Example: `  fastqueue queue show jobs
  fastqueue queue show jobs -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			q, err := api.Queue(c.Context(), args[0])
			if err != nil {
				return fmt.Errorf("show queue %s: %w", args[0], err)
			}
			return out.print(c.OutOrStdout(), q, detailTable(&q))
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	return c
}

func detailTable(q *client.QueueDetails) func(*tabwriter.Writer) {
	oldest := "-"
	if q.MessageCount > 0 {
		oldest = (time.Duration(q.OldestMessageAge) * time.Second).String()
	}
	return func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "queue\t%s\ncreated\t%s\n", q.Name, shownTime(&q.Created))
		fmt.Fprintf(t, "messages\t%d of %d\n  ready\t%d\n  leased\t%d\n  delayed\t%d\n", q.MessageCount, q.MaxLength, q.Ready, q.Leased, q.Delayed)
		fmt.Fprintf(t, "oldest message\t%s\nvisibility timeout\t%ds\n", oldest, q.VisibilityTimeout)
	}
}
