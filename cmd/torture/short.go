package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/trial"
)

// shortOptions are the flags of "torture short".
type shortOptions struct {
	seed   uint64
	rounds int
}

func newShortCommand() *cobra.Command {
	var o shortOptions
	c := &cobra.Command{
		Use:   "short",
		Short: "Run the short run, which go test runs too",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "torture-")
			if err != nil {
				return err
			}
			binary := filepath.Join(dir, "fastqueue")
			if err := nodes.Build(c.Context(), binary); err != nil {
				return err
			}
			for i := range o.rounds {
				r, err := shortRun(c.Context(), c.OutOrStdout(), binary, filepath.Join(dir, fmt.Sprint(i)), o.seed+uint64(i), nil, "", "")
				if err != nil {
					return err
				}
				if r.Err() != nil {
					tell(c.OutOrStdout(), r)
					fmt.Fprintf(c.OutOrStdout(), "data and logs: %s\nagain: go run ./cmd/torture short --seed %d\n", dir, r.Seed)
					return errBroken
				}
				fmt.Fprintln(c.OutOrStdout(), summary(r))
			}
			return os.RemoveAll(dir)
		},
	}
	c.Flags().Uint64Var(&o.seed, "seed", 1, "of the first round")
	c.Flags().IntVar(&o.rounds, "rounds", 1, "how many rounds")
	return c
}

// shortRun is one short run with the given faults, load and log store, or its own if they are empty.
func shortRun(ctx context.Context, log io.Writer, binary, dir string, seed uint64, faults []string, load, store string) (*trial.Result, error) {
	p, err := trial.Short(binary, dir, seed, faults, load, store)
	if err != nil {
		return nil, err
	}
	p.Log = log
	return trial.Run(ctx, p)
}

// summary is a round that passed, in a line.
func summary(r *trial.Result) string {
	return fmt.Sprintf("seed %d, log store %s, passed in %.0f s: %d strikes, %d sends, %d deletes, %d sends unknown, %d of %d repeats remembered",
		r.Seed, r.LogStore, r.Seconds, len(r.Strikes), r.Sends, r.Deletes, r.Unknown, r.Remembered, r.Repeats)
}

// tell says what is wrong with a round.
func tell(out io.Writer, r *trial.Result) {
	fmt.Fprintf(out, "seed %d: %v\n", r.Seed, r.Err())
	for _, v := range r.Violations {
		fmt.Fprintln(out, "  "+v)
	}
}
