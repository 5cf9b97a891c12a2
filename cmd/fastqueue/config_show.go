package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newConfigCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "config",
		Short:   "See what is configured",
		Example: "  fastqueue config show serve",
	}
	c.AddCommand(newConfigShowCommand())
	return c
}

func newConfigShowCommand() *cobra.Command {
	var o output
	c := &cobra.Command{
		Use:   "show [VERB...]",
		Short: "Print each setting, its value and where the value comes from",
		Long: `Print each setting of a verb, its value and where the value comes from: the environment, the configuration file or the
default. Without a verb it prints the settings of all verbs. Secrets are not shown, only whether they are set.`,
		Example: `  fastqueue config show
  fastqueue config show serve
  FASTQUEUE_PEERS=n1:9081,n2:9081 fastqueue config show serve -o json
  fastqueue config show cluster status --config ./staging.yaml`,
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			at, _, err := c.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var verbs []cobra.Completion
			for _, sub := range at.Commands() {
				verbs = append(verbs, sub.Name())
			}
			return verbs, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			settings, err := configured(c, args)
			if err != nil {
				return err
			}
			return o.print(c.OutOrStdout(), settings, settings.table)
		},
	}
	o.addFlags(c.Flags())
	return c
}

// shownSettings is what "config show" prints.
type shownSettings struct {
	File     string         `json:"file"` // empty when there is none
	Settings []shownSetting `json:"settings"`
}

// shownSetting is one setting. Several verbs share it when its default is the same for all of them.
type shownSetting struct {
	Name   string   `json:"name"`
	Value  string   `json:"value"`
	Origin string   `json:"origin"`
	Verbs  []string `json:"verbs"`
}

// configured looks up the settings of one verb, or of all. The flags are those of a fresh program: this verb's own ones were
// set already.
func configured(c *cobra.Command, verb []string) (*shownSettings, error) {
	config, err := loadConfiguration(c)
	if err != nil {
		return nil, usage(err)
	}
	root := newRootCommand()
	from, rest, err := root.Find(verb)
	if err != nil || len(rest) > 0 {
		return nil, usage(fmt.Errorf("%q is not a verb of fastqueue; \"fastqueue --help\" lists the verbs", strings.Join(verb, " ")))
	}
	shown := &shownSettings{File: config.path}
	for _, cmd := range allCommands(from) {
		if !cmd.Runnable() || !hasSettings(cmd) {
			continue
		}
		if err := config.resolve(cmd); err != nil {
			return nil, usage(err)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if isSetting(f) {
				shown.add(cmd, f)
			}
		})
	}
	slices.SortStableFunc(shown.Settings, func(a, b shownSetting) int { return strings.Compare(a.Name, b.Name) })
	for _, variable := range secretVariables() {
		if os.Getenv(variable) != "" {
			shown.Settings = append(shown.Settings, shownSetting{Name: variable, Value: "(not shown)", Origin: "environment", Verbs: []string{}})
		}
	}
	return shown, nil
}

// add notes a setting of one verb.
func (s *shownSettings) add(cmd *cobra.Command, f *pflag.Flag) {
	verb := strings.TrimPrefix(cmd.CommandPath(), "fastqueue ")
	for i, known := range s.Settings {
		if known.Name == f.Name && known.Value == f.Value.String() && known.Origin == origin(f) {
			s.Settings[i].Verbs = append(known.Verbs, verb)
			return
		}
	}
	s.Settings = append(s.Settings, shownSetting{Name: f.Name, Value: f.Value.String(), Origin: origin(f), Verbs: []string{verb}})
}

// table prints one line for each setting. Where the verbs differ in a setting, each line says whose it is.
func (s *shownSettings) table(w *tabwriter.Writer) {
	file := s.File
	if file == "" {
		file = "none"
	}
	fmt.Fprintf(w, "Configuration file: %s\n\nSETTING\tVALUE\tFROM\n", file)
	for _, setting := range s.Settings {
		from := setting.Origin
		if s.differs(setting.Name) {
			from += " of " + strings.Join(setting.Verbs, ", ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", setting.Name, setting.Value, from)
	}
}

func (s *shownSettings) differs(name string) bool {
	n := 0
	for _, setting := range s.Settings {
		if setting.Name == name {
			n++
		}
	}
	return n > 1
}
