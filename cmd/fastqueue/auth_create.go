package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newAuthCreateCommand() *cobra.Command {
	var to connection
	var out output
	var password newPasswordFlag
	c := &cobra.Command{
		Use:   "create USER",
		Short: "Make a user",
		Long: `Make a user. Where nodes run with --registration closed only an admin can: then the credential that the other verbs take
is needed, such as a login.

The new user's password is asked for, or taken from --new-password-file or FASTQUEUE_NEW_PASSWORD. As long as --username does
not say that somebody else asks, --password-file and FASTQUEUE_PASSWORD are the new user's too.`,
		Example: `  fastqueue auth create ada
  fastqueue auth create ada --password-file ada-password
  fastqueue auth create ada --new-password-file ada-password --username admin --password-file admin-password`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			secret, err := passwordToCreate(c, &to, &password, args[0])
			if err != nil {
				return err
			}
			api, err := to.openAnonymous()
			if err != nil {
				return err
			}
			defer api.Close()
			if err := api.Register(c.Context(), args[0], secret); err != nil {
				return fmt.Errorf("create user %s: %w", args[0], err)
			}
			return out.print(c.OutOrStdout(), map[string]string{"username": args[0]}, func(t *tabwriter.Writer) {
				fmt.Fprintf(t, "User %s was created.\n", args[0])
			})
		},
	}
	to.addFlags(c.Flags())
	out.addFlags(c.Flags())
	password.addFlag(c)
	return c
}

// passwordToCreate finds the new user's password. It takes the flag --password-file away from the connection when that is where
// the password stands.
func passwordToCreate(c *cobra.Command, to *connection, password *newPasswordFlag, username string) (string, error) {
	secret, err := password.given()
	if secret != "" || err != nil {
		return secret, err
	}
	if to.username == "" {
		secret, given, err := to.password()
		if given || err != nil {
			to.passwordFile = ""
			return secret, err
		}
	}
	return password.take(c, username)
}
