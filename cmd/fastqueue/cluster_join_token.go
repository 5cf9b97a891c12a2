package main

import "github.com/spf13/cobra"

func newClusterJoinTokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "join-token",
		Short: "Make, list and revoke the secrets with which nodes join",
		Long: `Make, list and revoke the secrets with which nodes join. Each of them is good until it is revoked; members stay members
after that.`,
		Example: `  fastqueue cluster join-token create > join-token
  fastqueue cluster join-token list`,
	}
	c.AddCommand(newClusterJoinTokenCreateCommand(), newClusterJoinTokenListCommand(), newClusterJoinTokenRevokeCommand())
	return c
}
