package main

import "github.com/spf13/cobra"

func newAuthCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "auth",
		Short: "Log in and out, and manage users and API keys",
		Example: `  fastqueue auth login ada
  fastqueue auth api-key create billing`,
	}
	c.AddCommand(
		newAuthCreateCommand(),
		newAuthDeleteCommand(),
		newAuthChangePasswordCommand(),
		newAuthResetPasswordCommand(),
		newAuthLoginCommand(),
		newAuthLogoutCommand(),
		newAuthListCommand(),
		newAuthSetRoleCommand(),
		newAuthAPIKeyCommand(),
	)
	return c
}
