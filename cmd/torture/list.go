package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/cmd/torture/fault"
)

func newListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the faults, and what this machine lacks for them",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, f := range fault.All() {
				about := f.About()
				if missing := f.Needs().Missing(); missing != "" {
					about += " (not here: needs " + missing + ")"
				}
				fmt.Fprintf(table, "%s\t%s\n", f.Name(), about)
			}
			return table.Flush()
		},
	}
}
