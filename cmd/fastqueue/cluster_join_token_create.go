package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newClusterJoinTokenCreateCommand() *cobra.Command {
	var to connection
	var o output
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a further join token and print it",
		Long: `Make a further join token and print it, alone on its line. The cluster does not keep the token itself, so it can't be
shown again.`,
		Example: `  fastqueue cluster join-token create > join-token
  fastqueue join n1:9081 --token-file join-token --data-dir fastqueue-data-4`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			api, err := openFor(&to, &o)
			if err != nil {
				return err
			}
			defer api.Close()
			token, err := api.CreateJoinToken(c.Context())
			if err != nil {
				return fmt.Errorf("create join token: %w", err)
			}
			return o.print(c.OutOrStdout(), token, func(w *tabwriter.Writer) { fmt.Fprintln(w, token.Token) })
		},
	}
	to.addFlags(c.Flags())
	o.addFlags(c.Flags())
	return c
}
