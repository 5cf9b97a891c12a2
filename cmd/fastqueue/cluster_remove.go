package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newClusterRemoveCommand() *cobra.Command {
	var to connection
	var yes bool
	c := &cobra.Command{
		Use:   "remove NODE",
		Short: "Take a node out of the cluster for good",
		Long: `Take a node out of the cluster for good, so that it does not count for the majority any more.

It is refused while the nodes that remain would not be a live majority. A leader hands over first. The removed node should
then be stopped; it comes back only with an empty data directory, by "fastqueue join". A node that is merely down for a
while needs no removal.`,
		Example: `  fastqueue cluster remove node3
  fastqueue cluster remove node3 --yes --url http://n1:9080 --api-key-file key`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !yes {
				if err := confirm(c, "take the node "+args[0]+" out of the cluster", args[0]); err != nil {
					return err
				}
			}
			if err := removeMember(c.Context(), &to, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is no member of the cluster any more. Stop it, if it runs; to come back it needs an empty data directory.\n", args[0])
			return nil
		},
	}
	to.addFlags(c.Flags())
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func removeMember(ctx context.Context, to *connection, name string) error {
	api, err := to.open()
	if err != nil {
		return err
	}
	defer api.Close()
	if err := api.RemoveMember(ctx, name); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
