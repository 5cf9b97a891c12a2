package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newAuthLoginCommand() *cobra.Command {
	var to connection
	var out output
	c := &cobra.Command{
		Use:   "login [USER]",
		Short: "Log in, so that the other verbs need no password",
		Long: `Log in, so that the other verbs need no password. The tokens are kept in fastqueue/login.json in the user's configuration
directory, readable by nobody else, and are renewed when they are used. There is one login for each set of --url.

The password is asked for, or taken from --password-file or FASTQUEUE_PASSWORD. "fastqueue auth logout" ends the login.`,
		Example: `  fastqueue auth login ada
  fastqueue auth login admin --url http://n1:9080 --url http://n2:9080 --password-file admin-password`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			store, err := openLoginStore(to.urls)
			if err != nil {
				return err
			}
			username, password, err := to.userAndPassword(c, args)
			if err != nil {
				return err
			}
			store.username = username
			api, err := to.connect(client.Config{Username: username, Password: password, Tokens: store})
			if err != nil {
				return err
			}
			defer api.Close()
			if err := api.Login(c.Context()); err != nil {
				return fmt.Errorf("log in as %s: %w", username, err)
			}
			shown := map[string]any{"username": username, "urls": to.urls, "file": store.path()}
			return out.print(c.OutOrStdout(), shown, func(t *tabwriter.Writer) {
				fmt.Fprintf(t, "Logged in as %s at %s. The tokens are in %s.\n", username, strings.Join(to.urls, ", "), store.path())
			})
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	return c
}
