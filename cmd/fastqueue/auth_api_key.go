package main

import "github.com/spf13/cobra"

func newAuthAPIKeyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "api-key",
		Short: "Make, list and delete API keys",
		Long: `API keys are for programs: they need no login, survive a change of the password, and end when they are deleted, when they
expire or with their user. Verbs and programs take them from --api-key-file or FASTQUEUE_API_KEY.`,
		Example: `  fastqueue auth api-key create billing > billing-key
  fastqueue auth api-key list`,
	}
	c.AddCommand(newAuthAPIKeyCreateCommand(), newAuthAPIKeyListCommand(), newAuthAPIKeyDeleteCommand())
	return c
}
