package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

func newDeleteCommand() *cobra.Command {
	var to connection
	c := &cobra.Command{
		Use:   "delete QUEUE HANDLE...",
		Short: "Delete received messages",
		Long: `Delete received messages, by the receipt handles that receive printed. A message that was deleted before, or that somebody
else has received since, is refused; then the exit code is 3, or 7 when others were deleted.`,
		Example: `  fastqueue delete jobs HANDLE
  fastqueue delete jobs HANDLE HANDLE HANDLE`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := to.open()
			if err != nil {
				return err
			}
			defer api.Close()
			var results []client.EntryResult
			for chunk := range slices.Chunk(args[1:], client.MaxBatch) {
				answers, err := api.DeleteBatch(c.Context(), args[0], chunk)
				if err != nil {
					return afterSome(len(results), fmt.Errorf("delete from %s, after %d messages: %w", args[0], len(results), err))
				}
				results = append(results, answers...)
			}
			return entryErrors("delete from "+args[0], args[1:], results)
		},
	}
	to.addFlags(c.Flags())
	return c
}

// entryErrors makes one error of the entries that were refused: the first one, how many there are, and which exit code that is.
func entryErrors(what string, names []string, results []client.EntryResult) error {
	var first error
	failed := 0
	for i, r := range results {
		if r.Err == nil {
			continue
		}
		if failed++; first == nil {
			first = fmt.Errorf("%s: %s: %w", what, names[i], r.Err)
		}
	}
	switch {
	case failed == 0:
		return nil
	case failed > 1:
		first = fmt.Errorf("%w (and %d more)", first, failed-1)
	}
	return afterSome(len(results)-failed, first)
}
