// Command fastqueue is a node of a replicated job queue, and the tools to run and measure it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // the first signal begins an orderly end, the second one ends the process at once
		<-signals
		stop()
		<-signals
		os.Exit(1)
	}()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fastqueue:", err)
		os.Exit(exitCode(err))
	}
}

// exit ends the process on the spot, for a node that must not go on.
func exit(code int) { os.Exit(code) }

// run carries out one command line. It returns when the command is done or ctx ends.
func run(ctx context.Context, args []string) error {
	root := newRootCommand()
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// newRootCommand returns the program with all its verbs; each verb is a file.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "fastqueue",
		Short:         "A replicated job queue: three nodes, one binary, nothing lost",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; %q lists the flags", err, c.CommandPath()+" --help")
	})
	root.AddCommand(
		newServeCommand(),
		newJoinCommand(),
		newDevCommand(),
		newBenchCommand(),
		newVersionCommand(),
	)
	return root
}

// exitCoder is an error that names the exit code of the process.
type exitCoder interface{ ExitCode() int }

// exitCode returns the code that an error asks for, or 1.
func exitCode(err error) int {
	var e exitCoder
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	return 1
}
