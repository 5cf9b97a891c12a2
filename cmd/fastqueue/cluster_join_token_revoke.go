package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newClusterJoinTokenRevokeCommand() *cobra.Command {
	var to connection
	c := &cobra.Command{
		Use:   "revoke ID",
		Short: "End a join token: nobody joins with it any more",
		Long: `End a join token: nobody joins with it any more. Members stay members. Take care that another token is left in what
starts your nodes with --peers: an empty data directory needs it.`,
		Example: `  fastqueue cluster join-token list
  fastqueue cluster join-token revoke 1f0c9a2b`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := to.open()
			if err != nil {
				return err
			}
			defer api.Close()
			if err := api.RevokeJoinToken(c.Context(), args[0]); err != nil {
				return fmt.Errorf("revoke join token %s: %w", args[0], err)
			}
			fmt.Fprintf(c.OutOrStdout(), "Join token %s is revoked.\n", args[0])
			return nil
		},
	}
	to.addFlags(c.Flags())
	return c
}
