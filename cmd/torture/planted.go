package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/planted"
)

// plantedOptions are the flags of "torture planted".
type plantedOptions struct {
	seeds   int
	first   uint64
	any     bool
	verbose bool
}

func newPlantedCommand() *cobra.Command {
	o := plantedOptions{}
	c := &cobra.Command{
		Use:   "planted [NAME...]",
		Short: "Show that the short run finds the faults of scripts/planted",
		Long: `Show that the short run finds the faults of scripts/planted: each patch, or each named one, is built and run with several
seeds, and every one of these runs must find the promise broken that the patch breaks. A patch that names a test of its own is
shown by that one, which must fail. A patch that no longer applies is an error.`,
		RunE: func(c *cobra.Command, names []string) error { return o.run(c.Context(), c.OutOrStdout(), names) },
	}
	c.Flags().IntVar(&o.seeds, "seeds", 5, "runs of each patch")
	c.Flags().Uint64Var(&o.first, "seed", 1, "of the first run of each patch")
	c.Flags().BoolVar(&o.any, "any", false, "one run of each patch that finds something is enough, and the last")
	c.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "tell what the runs do")
	return c
}

func (o *plantedOptions) run(ctx context.Context, out io.Writer, names []string) error {
	patches, err := patchesNamed(ctx, names)
	if err != nil {
		return err
	}
	missed := 0
	for _, p := range patches {
		try := o.tryPatch
		if p.Test.Name != "" {
			try = o.tryTest
		}
		n, err := try(ctx, out, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		missed += n
	}
	if missed > 0 {
		fmt.Fprintf(out, "%d runs found nothing\n", missed)
		return errBroken
	}
	return nil
}

// patchesNamed returns the named patches, or all.
func patchesNamed(ctx context.Context, names []string) ([]*planted.Patch, error) {
	root, err := nodes.Repository(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return planted.List(root)
	}
	var patches []*planted.Patch
	for _, name := range names {
		p, err := planted.Open(root, name)
		if err != nil {
			return nil, err
		}
		patches = append(patches, p)
	}
	return patches, nil
}

// tryTest runs the test of a patch, which must fail.
func (o *plantedOptions) tryTest(ctx context.Context, out io.Writer, p *planted.Patch) (missed int, err error) {
	failure, err := p.RunTest(ctx)
	switch {
	case err != nil:
		return 0, err
	case failure == "":
		fmt.Fprintf(out, "%s: NOT FOUND by %s\n", p.Name, p.Test)
		return 1, nil
	}
	if o.verbose {
		fmt.Fprint(out, failure)
	}
	fmt.Fprintf(out, "%s: found by %s\n", p.Name, p.Test)
	return 0, nil
}

// tryPatch runs one patch with all seeds, and returns how many of them found nothing. If any will do, the first that finds
// something makes up for those before.
func (o *plantedOptions) tryPatch(ctx context.Context, out io.Writer, p *planted.Patch) (missed int, err error) {
	dir, err := os.MkdirTemp("", "torture-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "fastqueue")
	if err := p.Build(ctx, binary); err != nil {
		return 0, err
	}
	var log io.Writer
	if o.verbose {
		log = out
	}
	for i := range o.seeds {
		seed := o.first + uint64(i)
		r, err := shortRun(ctx, log, binary, filepath.Join(dir, fmt.Sprint(i)), seed, p.Faults, p.Load, p.Store)
		if err != nil {
			return missed, err
		}
		found := p.Found(r.Violations)
		if found == "" {
			missed++
			fmt.Fprintf(out, "%s, seed %d: NOT FOUND in %.0f s\n", p.Name, seed, r.Seconds)
			others := slices.Concat(r.Violations, r.Weak)
			for _, other := range others[:min(len(others), 5)] {
				fmt.Fprintf(out, "  but %s\n", firstLine(other))
			}
			if more := len(others) - 5; more > 0 {
				fmt.Fprintf(out, "  and %d more\n", more)
			}
			continue
		}
		fmt.Fprintf(out, "%s, seed %d: found in %.0f s: %s\n", p.Name, seed, r.Seconds, firstLine(found))
		if o.any {
			return 0, nil
		}
	}
	return missed, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
