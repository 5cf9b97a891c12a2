// Command fastqueue is a node of a replicated job queue, and the tools to run and measure it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	err := run(untilStopped(signals, exit), os.Args[1:])
	if err == nil {
		return
	}
	if !isQuiet(err) {
		fmt.Fprintln(os.Stderr, "fastqueue:", err)
	}
	exit(exitCode(err))
}

// exit ends the process on the spot, also for a node that must not go on.
func exit(code int) { os.Exit(code) }

// run carries out one command line. It returns when the command is done or ctx ends.
func run(ctx context.Context, args []string) error {
	root := newRootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	return withOrigins(cmd, err)
}

// newRootCommand returns the program with all its verbs; each verb is a file.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "fastqueue",
		Short: "A replicated job queue: three nodes, one binary, nothing lost",
		Example: `  fastqueue dev
  fastqueue serve --data-dir /var/lib/fastqueue
  fastqueue cluster status`,
		Version:           version(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: configure,
	}
	root.PersistentFlags().String(configFlag, "", "configuration file (default: $"+configVariable+", else fastqueue/config.yaml in the user's configuration directory)")
	root.AddCommand(
		newServeCommand(),
		newJoinCommand(),
		newDevCommand(),
		newClusterCommand(),
		newAuthCommand(),
		newQueueCommand(),
		newSendCommand(),
		newReceiveCommand(),
		newDeleteCommand(),
		newBenchCommand(),
		newConfigCommand(),
		newVersionCommand(),
	)
	root.AddCommand(newHelpTopics()...)
	completeTree(root)
	return root
}
