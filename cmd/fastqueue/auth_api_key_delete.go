package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newAuthAPIKeyDeleteCommand() *cobra.Command {
	var to connection
	var of string
	c := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete API keys, which end at once",
		Example: `  fastqueue auth api-key delete 17
  fastqueue auth api-key delete 17 --of ada`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := to.open()
			if err != nil {
				return err
			}
			defer api.Close()
			for i, id := range args {
				if err := api.DeleteAPIKey(c.Context(), of, id); err != nil {
					return afterSome(i, fmt.Errorf("delete API key %s: %w", id, err))
				}
				c.PrintErrf("API key %s was deleted.\n", id)
			}
			return nil
		},
	}
	to.addFlags(c.Flags())
	c.Flags().StringVar(&of, "of", "", "another user's key; admins may")
	return c
}

// afterSome marks an error that came when something had been done already.
func afterSome(done int, err error) error {
	if done > 0 {
		return partly(err)
	}
	return err
}
