package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/cmd/torture/fault"
	"github.com/fastqueue/fastqueue/cmd/torture/load"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
	"github.com/fastqueue/fastqueue/cmd/torture/trial"
)

// mixed is what --fault calls all faults that the machine allows.
const mixed = "mixed"

// runOptions are the flags of "torture run".
type runOptions struct {
	faults, logStores []string
	seed              uint64
	rounds, strikes   int
	length            time.Duration
	record, dir       string
	binary            string
	nodes             int
	beat              time.Duration
	given             string // --binary
	temporary         bool   // --dir was not given
	flags             []string
	tight, quiet      bool
}

func newRunCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Run rounds of faults",
		Long: `Run rounds of faults. Each round is a new cluster under load, struck by faults in an order that follows from its seed,
then drained completely and checked. The seed of a round is one more than that of the round before.`,
		Example: `  torture run --fault kill-leader --strikes 20
  torture run --fault mixed --for 8h --record night.jsonl
  torture run --fault kill-leader,pause-leader --seed 42 --log-store wal`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout()) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.faults, "fault", []string{mixed}, `faults, or "mixed": all that this machine allows`)
	f.StringSliceVar(&o.logStores, "log-store", []string{"bolt", "wal"}, "log stores, taken in turn")
	f.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano())>>10, "of the first round")
	f.IntVar(&o.rounds, "rounds", 1, "how many rounds")
	f.DurationVar(&o.length, "for", 0, "go on beginning rounds for so long, whatever --rounds says")
	f.IntVar(&o.strikes, "strikes", 0, "faults in a round (default: each one twice)")
	f.StringVar(&o.record, "record", "", "append each round as a line of JSON to this file")
	f.StringVar(&o.dir, "dir", "", "directory for data and logs, which are kept of rounds that did not pass (default: a temporary one)")
	f.StringVar(&o.binary, "binary", "", "program of the nodes (default: built from this checkout)")
	f.IntVar(&o.nodes, "nodes", 3, "size of the cluster")
	f.DurationVar(&o.beat, "beat", 0, "clients begin what they do next together, so often, which leaves the machine time for other runs (default: at once)")
	f.StringArrayVar(&o.flags, "node-flag", nil, "a further flag of every node, such as --drain-time=1s")
	f.BoolVar(&o.tight, "tight", true, "cut the log after a few entries, how few following from the seed")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "say only what is wrong")
	return c
}

func (o *runOptions) run(ctx context.Context, out io.Writer) error {
	if err := o.complete(ctx); err != nil {
		return err
	}
	begin, passed := time.Now(), 0
	for i := 0; o.goesOn(i, begin) && ctx.Err() == nil; i++ {
		seed, store := o.seed+uint64(i), o.logStores[i%len(o.logStores)]
		ok, err := o.round(ctx, out, seed, store)
		if err != nil {
			return err
		}
		if !ok {
			return errBroken
		}
		passed++
	}
	fmt.Fprintf(out, "%d rounds passed\n", passed)
	if err := ctx.Err(); err != nil || !o.temporary {
		return err
	}
	return os.RemoveAll(o.dir)
}

func (o *runOptions) goesOn(round int, begin time.Time) bool {
	if o.length > 0 {
		return time.Since(begin) < o.length
	}
	return round < o.rounds
}

// complete fills in what follows from other flags and from the machine.
func (o *runOptions) complete(ctx context.Context) (err error) {
	if len(o.faults) == 1 && o.faults[0] == mixed {
		o.faults = nil
		for _, f := range fault.Possible() {
			o.faults = append(o.faults, f.Name())
		}
	}
	faults, err := fault.Named(o.faults)
	if err != nil {
		return err
	}
	for _, f := range faults {
		if missing := f.Needs().Missing(); missing != "" {
			return fmt.Errorf("%s needs what this machine has not: %s", f.Name(), missing)
		}
	}
	if o.strikes == 0 {
		o.strikes = 2 * len(faults)
	}
	if o.temporary = o.dir == ""; o.temporary {
		if o.dir, err = os.MkdirTemp("", "torture-"); err != nil {
			return err
		}
	}
	if o.given = o.binary; o.given == "" {
		o.binary = filepath.Join(o.dir, "fastqueue")
		if tags := fault.Tags(faults); len(tags) > 0 {
			return nodes.Build(ctx, o.binary, "-tags", strings.Join(tags, ","))
		}
		return nodes.Build(ctx, o.binary)
	}
	return nil
}

// round runs one round and says whether it passed.
func (o *runOptions) round(ctx context.Context, out io.Writer, seed uint64, store string) (bool, error) {
	faults, err := fault.Named(o.faults)
	if err != nil {
		return false, err
	}
	dir := filepath.Join(o.dir, fmt.Sprintf("%d-%s", seed, store))
	p := trial.Plan{
		Binary: o.binary, Dir: dir, Seed: seed, LogStore: store, Nodes: o.nodes, Flags: o.nodeFlags(seed), Faults: faults, Strikes: o.strikes,
		Load: load.Everything(), Sends: trial.Enough, Deletes: trial.Enough,
	}
	p.Load.Beat = o.beat
	if !o.quiet {
		fmt.Fprintf(out, "seed %d, log store %s, %s\n", seed, store, dir)
		p.Log = out
	}
	r, err := trial.Run(ctx, p)
	if err != nil {
		return false, err
	}
	if err := appendRecord(o.record, r); err != nil {
		return false, err
	}
	if r.Err() != nil {
		o.complain(out, r, dir)
		return false, nil
	}
	if !o.quiet {
		fmt.Fprintln(out, summary(r))
	}
	return true, os.RemoveAll(dir)
}

func (o *runOptions) nodeFlags(seed uint64) []string {
	if !o.tight {
		return o.flags
	}
	return append(trial.Tight(seed), o.flags...)
}

// complain tells what is broken, where the remains are, and how to see it again.
func (o *runOptions) complain(out io.Writer, r *trial.Result, dir string) {
	tell(out, r)
	fmt.Fprintf(out, "data and logs: %s\n", dir)
	fmt.Fprintf(out, "again: go run ./cmd/torture run --seed %d --log-store %s --fault %s --strikes %d --nodes %d", r.Seed, r.LogStore, strings.Join(o.faults, ","), o.strikes, o.nodes)
	if !o.tight {
		fmt.Fprint(out, " --tight=false")
	}
	if o.given != "" {
		fmt.Fprintf(out, " --binary=%s", o.given)
	}
	if o.beat > 0 {
		fmt.Fprintf(out, " --beat=%s", o.beat)
	}
	for _, f := range o.flags {
		fmt.Fprintf(out, " --node-flag=%s", f)
	}
	fmt.Fprintln(out)
}
