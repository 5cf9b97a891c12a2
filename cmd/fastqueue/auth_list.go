package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newAuthListCommand() *cobra.Command {
	var to connection
	var out output
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"users"},
		Short:   "List the users; admins may",
		Example: `  fastqueue auth list
  fastqueue auth list -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			users, err := collect(api.Users(c.Context()))
			if err != nil {
				return fmt.Errorf("list users: %w", err)
			}
			return out.print(c.OutOrStdout(), map[string][]client.User{"users": users}, func(t *tabwriter.Writer) {
				fmt.Fprintln(t, "USER\tROLE\tAPI KEYS\tCREATED")
				for _, u := range users {
					fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", u.Username, u.Role, u.APIKeys, shownTime(&u.Created))
				}
			})
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	return c
}
