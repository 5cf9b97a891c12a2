package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newAuthSetRoleCommand() *cobra.Command {
	var to connection
	var out output
	c := &cobra.Command{
		Use:   "set-role USER admin|user",
		Short: "Make a user an admin or an ordinary user; admins may",
		Example: `  fastqueue auth set-role ada admin
  fastqueue auth set-role ada user`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeRole,
		RunE: func(c *cobra.Command, args []string) error {
			role := client.Role(args[1])
			if role != client.RoleAdmin && role != client.RoleUser {
				return usage(fmt.Errorf("role %q: want admin or user", args[1]))
			}
			api, err := openFor(&to, &out)
			if err != nil {
				return err
			}
			defer api.Close()
			if err := api.SetRole(c.Context(), args[0], role); err != nil {
				return fmt.Errorf("set role of %s: %w", args[0], err)
			}
			return out.print(c.OutOrStdout(), map[string]string{"username": args[0], "role": args[1]}, func(t *tabwriter.Writer) {
				fmt.Fprintf(t, "%s has the role %s now.\n", args[0], role)
			})
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	return c
}

// completeRole completes the second argument.
func completeRole(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []cobra.Completion{string(client.RoleAdmin), string(client.RoleUser)}, cobra.ShellCompDirectiveNoFileComp
}
