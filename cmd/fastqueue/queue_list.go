package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newQueueListCommand() *cobra.Command {
	var to connection
	var out output
	c := &cobra.Command{
		Use:   "list",
		Short: "List the queues",
		Example: `  fastqueue queue list
  fastqueue queue list -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			queues, err := collect(api.EachQueue(c.Context()))
			if err != nil {
				return fmt.Errorf("list queues: %w", err)
			}
			return out.print(c.OutOrStdout(), map[string][]client.Queue{"queues": queues}, queueTable(queues...))
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	return c
}
