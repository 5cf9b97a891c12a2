package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newAuthDeleteCommand() *cobra.Command {
	var to connection
	var out output
	c := &cobra.Command{
		Use:   "delete [USER]",
		Short: "Delete a user, with its logins and API keys",
		Long: `Delete a user, with its logins and API keys. Queues belong to nobody and stay. It takes the user's password, which is asked for
unless --password-file or FASTQUEUE_PASSWORD says it.`,
		Example: `  fastqueue auth delete ada
  fastqueue auth delete ada --password-file ada-password`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			username, password, err := to.userAndPassword(c, args)
			if err != nil {
				return err
			}
			api, err := to.openAs(username, password)
			if err != nil {
				return err
			}
			defer api.Close()
			if err := api.DeleteUser(c.Context(), username, password); err != nil {
				return fmt.Errorf("delete user %s: %w", username, err)
			}
			return out.print(c.OutOrStdout(), map[string]string{"message": "User deleted successfully"}, func(t *tabwriter.Writer) {
				fmt.Fprintf(t, "User %s was deleted.\n", username)
			})
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	return c
}
