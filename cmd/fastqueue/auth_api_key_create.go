package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newAuthAPIKeyCreateCommand() *cobra.Command {
	var to connection
	var out output
	var days int
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an API key and print it, this once",
		Long: `Make an API key for the user who asks, and print it. The cluster keeps no copy: a lost key is deleted and made anew. Only the key
goes to standard output; its id goes to standard error. An API key can't make API keys: log in for that.`,
		Example: `  fastqueue auth api-key create billing > billing-key
  fastqueue auth api-key create ci --expires-in-days 90 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("expires-in-days") && days < 1 {
				return usage(fmt.Errorf("--expires-in-days %d: want 1 or more; without the flag the key does not expire", days))
			}
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			k, err := api.CreateAPIKey(c.Context(), args[0], days)
			if err != nil {
				return fmt.Errorf("create API key %s: %w", args[0], err)
			}
			if !out.json() {
				c.PrintErrf("API key %s, id %s, expires: %s. It is shown only now:\n", k.Name, k.ID, shownTime(k.Expires))
			}
			return out.print(c.OutOrStdout(), k, func(t *tabwriter.Writer) { fmt.Fprintln(t, k.Key) })
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	c.Flags().IntVar(&days, "expires-in-days", 0, "after how many days the key ends; without it, never")
	return c
}
