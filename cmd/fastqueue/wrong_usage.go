package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wrongArguments says which argument of a command is missing or too many, and shows how it is used. cause is what found it.
func wrongArguments(c *cobra.Command, args []string, cause error) error {
	names := strings.Fields(c.Use)[1:]
	var required []string
	endless := false // the last one can be repeated
	for _, name := range names {
		if !strings.HasPrefix(name, "[") {
			required = append(required, strings.TrimSuffix(name, "..."))
		}
		endless = strings.HasSuffix(strings.TrimSuffix(name, "]"), "...")
	}
	what := cause.Error()
	switch missing := required[min(len(args), len(required)):]; {
	case len(missing) == 1:
		what = missing[0] + " is missing"
	case len(missing) > 1:
		what = strings.Join(missing, " and ") + " are missing"
	case len(args) > len(names) && !endless:
		what = fmt.Sprintf("%q is one argument too many", args[len(names)])
	}
	example, _, _ := strings.Cut(strings.TrimSpace(c.Example), "\n")
	return usage(fmt.Errorf("%s; usage: %s; for example: %s", what, c.UseLine(), example))
}

// valueError says what kind of value a flag takes that was given another one.
func valueError(f *pflag.Flag, cause error) error {
	if errors.Is(cause, strconv.ErrRange) {
		return errors.New("the number is too large or too small")
	}
	switch f.Value.Type() {
	case "int", "int64":
		return errors.New("a whole number is needed")
	case "uint64":
		return errors.New("a whole number that is not negative is needed")
	case "float64":
		return errors.New("a number is needed")
	case "duration":
		return errors.New("a time is needed, such as 10s or 1m30s")
	case "bool":
		return errors.New("true or false is needed")
	}
	return cause
}
