package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completeTree gives every command what all of them have: errors of usage with an exit code of their own, an answer to
// unknown verbs and flags, and completion.
func completeTree(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetFlagErrorFunc(flagError)
	for _, c := range allCommands(root) {
		if c.HasSubCommands() && c.Run == nil && c.RunE == nil {
			c.Args = unknownVerb
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		} else if check := c.Args; check != nil {
			c.Args = func(c *cobra.Command, args []string) error {
				if err := check(c, args); err != nil {
					return wrongArguments(c, args, err)
				}
				return nil
			}
		}
		addCompletions(c)
	}
	addCompletionExamples(root)
}

// unknownVerb refuses what is no verb of this command, and names the nearest.
func unknownVerb(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var verbs []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			verbs = append(verbs, sub.Name())
		}
	}
	return usage(fmt.Errorf("%q is not a verb of %s%s; %q lists the verbs", args[0], c.CommandPath(), didYouMean(args[0], verbs), c.CommandPath()+" --help"))
}

// flagError explains a flag that is unknown or has no proper value.
func flagError(c *cobra.Command, err error) error {
	suggestion := ""
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if len(unknown.GetSpecifiedName()) > 1 {
			suggestion = didYouMean(unknown.GetSpecifiedName(), names)
		}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s %q: %w", invalid.GetFlag().Name, invalid.GetValue(), valueError(invalid.GetFlag(), invalid.Unwrap()))
	}
	return usage(fmt.Errorf("%w%s; %q lists the flags", err, suggestion, c.CommandPath()+" --help"))
}
