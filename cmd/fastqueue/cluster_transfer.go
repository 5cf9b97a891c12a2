package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newClusterTransferCommand() *cobra.Command {
	var to connection
	var o output
	c := &cobra.Command{
		Use:   "transfer [NODE]",
		Short: "Hand the leadership to another node",
		Long: `Hand the leadership to the named node, or to the one that is furthest if none is named. Requests wait meanwhile and
none is lost. The former leader stays a member and may be elected again.`,
		Example: `  fastqueue cluster transfer
  fastqueue cluster transfer node2`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			api, err := openFor(&to, &o)
			if err != nil {
				return err
			}
			defer api.Close()
			leader, err := api.TransferLeadership(c.Context(), name)
			if err != nil {
				return fmt.Errorf("transfer of the leadership: %w", err)
			}
			return o.print(c.OutOrStdout(), map[string]string{"leader": leader}, func(w *tabwriter.Writer) {
				fmt.Fprintf(w, "%s leads the cluster.\n", leader)
			})
		},
	}
	to.addFlags(c.Flags())
	o.addFlags(c.Flags())
	return c
}
