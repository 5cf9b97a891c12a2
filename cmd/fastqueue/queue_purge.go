package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newQueuePurgeCommand() *cobra.Command {
	var to connection
	var out output
	var yes bool
	c := &cobra.Command{
		Use:   "purge QUEUE",
		Short: "Delete all messages of a queue, also leased and delayed ones",
		Example: `  fastqueue queue purge jobs
  fastqueue queue purge jobs --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			if !yes {
				if err := confirm(c, "delete all messages of the queue "+args[0], args[0]); err != nil {
					return err
				}
			}
			q, err := api.PurgeQueue(c.Context(), args[0])
			if err != nil {
				return fmt.Errorf("purge queue %s: %w", args[0], err)
			}
			return out.print(c.OutOrStdout(), q, queueTable(q))
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
