package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newClusterJoinTokenListCommand() *cobra.Command {
	var to connection
	var o output
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the join tokens that are good, without the secrets",
		Example: "  fastqueue cluster join-token list",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			api, err := openFor(&to, &o)
			if err != nil {
				return err
			}
			defer api.Close()
			tokens, err := api.JoinTokens(c.Context())
			if err != nil {
				return fmt.Errorf("list join tokens: %w", err)
			}
			answer := struct {
				JoinTokens []client.JoinToken `json:"join_tokens"`
			}{tokens}
			return o.print(c.OutOrStdout(), answer, func(w *tabwriter.Writer) { joinTokenTable(w, tokens) })
		},
	}
	to.addFlags(c.Flags())
	o.addFlags(c.Flags())
	return c
}

func joinTokenTable(w *tabwriter.Writer, tokens []client.JoinToken) {
	fmt.Fprintln(w, "ID\tCREATED")
	for _, t := range tokens {
		created := "with the cluster"
		if t.Created != nil {
			created = t.Created.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\n", t.ID, created)
	}
}
