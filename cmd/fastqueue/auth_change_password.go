package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newAuthChangePasswordCommand() *cobra.Command {
	var to connection
	var out output
	var fresh newPasswordFlag
	c := &cobra.Command{
		Use:   "change-password [USER]",
		Short: "Change a user's password",
		Long: `Change a user's password. It ends the user's logins; API keys stay good. The present password is asked for unless
--password-file or FASTQUEUE_PASSWORD says it. Who lost theirs asks an admin, and the admin finds "auth reset-password".`,
		Example: `  fastqueue auth change-password ada
  fastqueue auth change-password ada --password-file old --new-password-file new`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			username, old, err := to.userAndPassword(c, args)
			if err != nil {
				return err
			}
			password, err := fresh.take(c, username)
			if err != nil {
				return err
			}
			api, err := to.openAs(username, old)
			if err != nil {
				return err
			}
			defer api.Close()
			if err := api.ChangePassword(c.Context(), username, old, password); err != nil {
				return fmt.Errorf("change password of %s: %w", username, err)
			}
			return out.print(c.OutOrStdout(), map[string]string{"username": username}, func(t *tabwriter.Writer) {
				fmt.Fprintf(t, "The password of %s was changed; its logins have ended, its API keys have not.\n", username)
			})
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	fresh.addFlag(c)
	return c
}
