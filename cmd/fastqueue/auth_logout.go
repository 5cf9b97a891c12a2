package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newAuthLogoutCommand() *cobra.Command {
	var to connection
	var out output
	c := &cobra.Command{
		Use:   "logout",
		Short: "End the login, and forget its tokens",
		Long: `End the login at the cluster and forget its tokens. When the cluster can't be reached the tokens are forgotten all the same,
and the verb fails: the login then ends by itself, within a week.`,
		Example: `  fastqueue auth logout
  fastqueue auth logout --url http://n1:9080 --url http://n2:9080`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			store, err := openLoginStore(to.urls)
			if err != nil {
				return err
			}
			kept, err := store.read()
			if err != nil {
				return err
			}
			message := "There was no login."
			if kept.Refresh != "" {
				if err := logOut(c.Context(), &to, store); err != nil {
					return fmt.Errorf("log out %s: %w", kept.Username, err)
				}
				message = "Logged out " + kept.Username + "."
			}
			return out.print(c.OutOrStdout(), map[string]string{"message": message}, func(t *tabwriter.Writer) { fmt.Fprintln(t, message) })
		},
	}
	c.Flags().StringArrayVar(&to.urls, "url", []string{defaultURL}, "address of a node; the same ones that were given to login")
	out.addFlags(c.Flags())
	return c
}

// logOut ends a login at the cluster, and forgets it whatever the cluster says.
func logOut(ctx context.Context, to *connection, store *loginStore) error {
	api, err := to.connect(client.Config{Tokens: store})
	if err != nil {
		return err
	}
	defer api.Close()
	if err := api.Logout(ctx); err != nil {
		forget := func(client.Tokens) (client.Tokens, error) { return client.Tokens{}, nil }
		return errors.Join(err, store.Update(context.WithoutCancel(ctx), forget))
	}
	return nil
}
