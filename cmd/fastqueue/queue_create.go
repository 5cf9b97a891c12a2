package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newQueueCreateCommand() *cobra.Command {
	var to connection
	var out output
	var settings client.QueueSettings
	var visibility secondsFlag
	c := &cobra.Command{
		Use:   "create QUEUE",
		Short: "Create a queue",
		Example: `  fastqueue queue create jobs
  fastqueue queue create jobs --max-length 1000000 --visibility-timeout 5m`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("max-length") && settings.MaxLength < 1 {
				return usage(fmt.Errorf("--max-length %d: want 1 or more", settings.MaxLength))
			}
			if visibility.given {
				settings.VisibilityTimeout = visibility.seconds()
			}
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			q, err := api.CreateQueue(c.Context(), args[0], settings)
			if err != nil {
				return fmt.Errorf("create queue %s: %w", args[0], err)
			}
			return out.print(c.OutOrStdout(), q, queueTable(q))
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	c.Flags().Int64Var(&settings.MaxLength, "max-length", 0, "how many messages the queue holds; without it, as many as the server says")
	c.Flags().Var(&visibility, "visibility-timeout", "how long a received message is leased; without it, as long as the server says")
	return c
}
