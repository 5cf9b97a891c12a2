package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newQueueUpdateCommand() *cobra.Command {
	var to connection
	var out output
	var maxLength int64
	var visibility secondsFlag
	c := &cobra.Command{
		Use:   "update QUEUE",
		Short: "Change a queue's settings",
		Long: `Change a queue's settings; those that are not named stay. A shorter queue keeps the messages that it has and refuses new ones
until there is room. Messages that are leased stay leased for as long as they were.`,
		Example: `  fastqueue queue update jobs --max-length 2000000
  fastqueue queue update jobs --visibility-timeout 90`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			update := client.QueueUpdate{}
			if c.Flags().Changed("max-length") {
				update.MaxLength = &maxLength
			}
			if visibility.given {
				update.VisibilityTimeout = new(visibility.seconds())
			}
			if update == (client.QueueUpdate{}) {
				return usage(errors.New("nothing to change: give --max-length or --visibility-timeout"))
			}
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			q, err := api.UpdateQueue(c.Context(), args[0], update)
			if err != nil {
				return fmt.Errorf("update queue %s: %w", args[0], err)
			}
			return out.print(c.OutOrStdout(), q, queueTable(q))
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	c.Flags().Int64Var(&maxLength, "max-length", 0, "how many messages the queue holds")
	c.Flags().Var(&visibility, "visibility-timeout", "how long a received message is leased")
	return c
}
