package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newQueueDeleteCommand() *cobra.Command {
	var to connection
	var yes bool
	c := &cobra.Command{
		Use:   "delete QUEUE",
		Short: "Delete a queue with its messages",
		Example: `  fastqueue queue delete jobs
  fastqueue queue delete jobs --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := to.open()
			if err != nil {
				return err
			}
			defer api.Close()
			if !yes {
				if err := confirm(c, "delete the queue "+args[0]+" with all its messages", args[0]); err != nil {
					return err
				}
			}
			if err := api.DeleteQueue(c.Context(), args[0]); err != nil {
				return fmt.Errorf("delete queue %s: %w", args[0], err)
			}
			c.PrintErrf("Queue %s was deleted.\n", args[0])
			return nil
		},
	}
	to.addFlags(c.Flags())
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
