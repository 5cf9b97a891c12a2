package main

import "github.com/spf13/cobra"

func newClusterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cluster",
		Short: "See the cluster, and change who belongs to it and who leads it",
		Example: `  fastqueue cluster status
  fastqueue cluster join-token create`,
	}
	c.AddCommand(newClusterStatusCommand(), newClusterRemoveCommand(), newClusterTransferCommand(), newClusterJoinTokenCommand())
	return c
}
