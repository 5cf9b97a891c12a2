package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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
			message, err := endLogin(c.Context(), &to, store)
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), map[string]string{"message": message}, func(t *tabwriter.Writer) { fmt.Fprintln(t, message) })
		},
	}
	c.Flags().StringArrayVar(&to.urls, "url", []string{defaultURL}, "address of a node; the same ones that were given to login")
	out.addFlags(c.Flags())
	return c
}

// endLogin ends the login that is kept, if there is one, and says what it did.
func endLogin(ctx context.Context, to *connection, store *loginStore) (string, error) {
	kept, err := store.read()
	if damaged, ok := errors.AsType[damagedLoginsError](err); ok {
		store.warn(fmt.Sprintf("the file of logins was damaged (%v) and is removed; logins in it end by themselves, within a week", damaged.err))
		if err := os.Remove(damaged.path); err != nil {
			return "", fmt.Errorf("damaged file of logins: %w", err)
		}
		return "There was no login that could be read.", nil
	}
	if err != nil {
		return "", err
	}
	if kept.Refresh == "" {
		return "There was no login.", nil
	}
	if err := logOut(ctx, to, store); err != nil {
		return "", fmt.Errorf("log out %s: %w", kept.Username, err)
	}
	return "Logged out " + kept.Username + ".", nil
}

// logOut ends a login at the cluster, and forgets it whatever the cluster says.
func logOut(ctx context.Context, to *connection, store *loginStore) error {
	api, err := to.connect(client.Config{Tokens: store})
	if err != nil {
		return err
	}
	defer api.Close()
	err = api.Logout(ctx)
	if _, ended := errors.AsType[unwrittenError](err); ended {
		return fmt.Errorf("the login has ended, but its tokens could not be removed: %w", err)
	}
	if err == nil {
		return nil
	}
	forget := func(client.Tokens) (client.Tokens, error) { return client.Tokens{}, nil }
	if forgetErr := store.Update(context.WithoutCancel(ctx), forget); forgetErr != nil {
		return fmt.Errorf("%w; its tokens could not be removed either: %w", err, forgetErr)
	}
	return err
}
