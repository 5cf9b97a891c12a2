package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newAuthAPIKeyListCommand() *cobra.Command {
	var to connection
	var out output
	var of string
	c := &cobra.Command{
		Use:   "list",
		Short: "List API keys, without the keys themselves",
		Example: `  fastqueue auth api-key list
  fastqueue auth api-key list --of ada`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			keys, err := collect(api.APIKeys(c.Context(), of))
			if err != nil {
				return fmt.Errorf("list API keys: %w", err)
			}
			return out.print(c.OutOrStdout(), map[string][]client.APIKey{"api_keys": keys}, func(t *tabwriter.Writer) {
				fmt.Fprintln(t, "ID\tNAME\tBEGINS WITH\tCREATED\tEXPIRES\tLAST USED")
				for _, k := range keys {
					expires := shownTime(k.Expires)
					if k.Expired {
						expires += " (over)"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Hint, shownTime(&k.Created), expires, shownTime(k.LastUsed))
				}
			})
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	c.Flags().StringVar(&of, "of", "", "another user's keys; admins may")
	return c
}
