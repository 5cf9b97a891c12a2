package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted") // what failed for that reason tells nothing
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// run measures and reports. Everything that it makes is in one directory, which goes at the end.
func run(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(o.dir, "compare-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	c := circumstances{date: time.Now(), command: strings.Join(append([]string{"scripts/compare/run.sh"}, args...), " "), options: o}
	if c.machine, err = thisMachine(work); err != nil {
		return err
	}
	d, err := openDisk(work)
	if err != nil {
		return err
	}
	defer d.close()
	r := &results{disk: d, shapes: o.chosenShapes(), figures: map[key][]figure{}, waiting: map[string][]waitingFigure{}, budgets: map[string]budget{}}
	if r.contenders, err = contenders(ctx, o, work); err != nil {
		return err
	}
	measured := r.measureRounds(ctx, o, work, progress)
	if measured == nil && o.rounds > 0 {
		measured = r.measureBudget(ctx, o, work, progress)
	}
	if measured == nil {
		measured = r.measureWaiting(ctx, o, work, progress)
	}
	text := report(r, c)
	if _, err := fmt.Fprint(out, text); err != nil {
		return err
	}
	if measured != nil {
		return measured // what was measured before is shown all the same
	}
	if n := r.failed(); n > 0 {
		return fmt.Errorf("%d operations of FastQueue failed: the figures are worth nothing, and were not written", n)
	}
	if o.write {
		return write(o.tree, text, plot(r))
	}
	return nil
}
