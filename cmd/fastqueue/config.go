package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	// originAnnotation is where a flag notes from where its value came, if not from the command line or its default.
	originAnnotation = "fastqueue_origin"
	// flagOnlyAnnotation marks a flag that neither variables nor the file set: it holds a secret that has ways of its own.
	flagOnlyAnnotation = "fastqueue_flag_only"
	configFlag         = "config"
)

// configuration is what is set outside the command line: every flag of every verb can be, under its own name.
type configuration struct {
	path   string                      // of the file that was read; empty when there is none
	file   map[string]fileSetting      // by flag name
	lookup func(string) (string, bool) // of the environment
}

// configure gives the flags of the verb that is about to run what the environment and the file say, unless the command
// line said it already.
func configure(cmd *cobra.Command, _ []string) error {
	if !hasSettings(cmd) {
		return nil
	}
	c, err := loadConfiguration(cmd)
	if err != nil {
		return usage(err)
	}
	for _, warning := range unknownVariables(os.Environ(), settingNames(cmd.Root())) {
		cmd.PrintErrln("fastqueue: " + warning)
	}
	return usage(c.resolve(cmd))
}

// hasSettings says whether a command does something that can be configured. Help and the like must work with any
// configuration.
func hasSettings(cmd *cobra.Command) bool {
	if cmd.HasSubCommands() {
		return false
	}
	for c := cmd; c.HasParent(); c = c.Parent() {
		switch c.Name() {
		case "help", "completion", "version", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
			return false
		}
	}
	return true
}

// loadConfiguration reads the file, if there is one.
func loadConfiguration(cmd *cobra.Command) (*configuration, error) {
	named, err := cmd.Flags().GetString(configFlag)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := &configuration{lookup: os.LookupEnv}
	c.path, c.file, err = readConfigFile(named, slices.Collect(maps.Keys(settingNames(cmd.Root()))))
	return c, err
}

// resolve sets the flags of one verb: what the command line said stays, then counts the environment, then the file.
func (c *configuration) resolve(cmd *cobra.Command) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if err == nil && isSetting(f) && !f.Changed {
			err = c.set(f)
		}
	})
	return err
}

// set gives one flag its value of the environment or the file, if either has one. An empty variable counts as absent.
func (c *configuration) set(f *pflag.Flag) error {
	variable := variableName(f.Name)
	if value, ok := c.lookup(variable); ok && value != "" && !isServicePort(variable, value) {
		return setFlag(f, variable, []string{value}, false)
	}
	if s, ok := c.file[f.Name]; ok {
		return setFlag(f, fmt.Sprintf("%s:%d", c.path, s.line), s.values, s.list)
	}
	return nil
}

// setFlag gives a flag a value and notes where it came from.
func setFlag(f *pflag.Flag, origin string, values []string, list bool) error {
	target, repeatable := f.Value.(pflag.SliceValue)
	var err error
	switch {
	case repeatable && list:
		err = target.Replace(values)
	case repeatable:
		err = target.Replace(splitList(values[0]))
	case list:
		return fmt.Errorf("%s: %s takes one value, not a list", origin, f.Name)
	default:
		err = f.Value.Set(values[0])
	}
	if err != nil {
		return fmt.Errorf("%s: %q is no value for --%s (%s): %w", origin, strings.Join(values, ","), f.Name, f.Usage, valueError(f, err))
	}
	f.Changed = true
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[originAnnotation] = []string{origin}
	return nil
}

func splitList(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// isSetting says whether a flag can also be set by the environment and the file.
func isSetting(f *pflag.Flag) bool {
	switch f.Name {
	case "help", "version", configFlag:
		return false
	}
	return !f.Hidden && f.Annotations[flagOnlyAnnotation] == nil
}

// flagOnly keeps a flag out of the environment and the file.
func flagOnly(f *pflag.FlagSet, name string) {
	if err := f.SetAnnotation(name, flagOnlyAnnotation, []string{"true"}); err != nil {
		panic(err) // there is no such flag: a mistake in this program
	}
}

// origin says where the value of a flag comes from.
func origin(f *pflag.Flag) string {
	switch o := f.Annotations[originAnnotation]; {
	case len(o) > 0:
		return o[0]
	case f.Changed:
		return "command line"
	}
	return "default"
}

// isTyped says that a flag was given on the command line.
func isTyped(f *pflag.Flag) bool { return f.Changed && f.Annotations[originAnnotation] == nil }

// settingNames are the names of the settings of all verbs.
func settingNames(root *cobra.Command) map[string]bool {
	names := map[string]bool{}
	for _, cmd := range allCommands(root) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if isSetting(f) && hasSettings(cmd) {
				names[f.Name] = true
			}
		})
	}
	return names
}

// allCommands is a command and everything below it.
func allCommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, allCommands(sub)...)
	}
	return all
}

// flagWord finds the flags that a message talks of.
var flagWord = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)

// withOrigins adds to an error that talks of a flag which nobody typed where its value came from.
func withOrigins(cmd *cobra.Command, err error) error {
	if err == nil || cmd == nil {
		return err
	}
	told := map[string]bool{}
	text := err.Error()
	for _, word := range flagWord.FindAllStringSubmatch(text, -1) {
		f := cmd.Flags().Lookup(word[1])
		if f == nil || told[f.Name] || f.Annotations[originAnnotation] == nil || strings.Contains(text, origin(f)) {
			continue
		}
		told[f.Name] = true
		err = fmt.Errorf("%w (--%s comes from %s)", err, f.Name, origin(f))
	}
	return err
}
