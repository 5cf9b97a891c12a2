// Command torture breaks FastQueue on purpose: it runs real nodes under a mixed load, injects faults, and checks what the
// clients saw against what they were promised. docs/reliability.md says how to use it.
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// newRootCommand returns the program with all its verbs; each verb is a file.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "torture",
		Short:         "Break FastQueue on purpose, and check what it promised",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRunCommand(), newShortCommand(), newPlantedCommand(), newReportCommand(), newListCommand())
	return root
}

// errBroken ends a verb that has told already what is wrong.
var errBroken = errors.New("it did not pass")
