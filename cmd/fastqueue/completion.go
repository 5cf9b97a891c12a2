package main

import (
	"github.com/spf13/cobra"
)

// choices are the flags whose values can be listed.
func choices() map[string][]cobra.Completion {
	return map[string][]cobra.Completion{
		"output":       {"table\tfor people", "json\tas the API answers"},
		"log-format":   {"text", "json"},
		"log-level":    {"error", "warn", "info", "debug", "trace"},
		"log-store":    {"bolt", "wal"},
		"registration": {"open\tanybody may make a user", "closed\tadmins make users"},
		"mode":         {modeSend, modeLoop, modeBatch, modeFill},
		"username":     {},
		"url":          {},
	}
}

// addCompletions lets the shell complete the values of a command's flags. Flags that name files or directories are left to
// the shell, all others have nothing to complete.
func addCompletions(c *cobra.Command) {
	for name, values := range choices() {
		if c.LocalFlags().Lookup(name) == nil {
			continue
		}
		if err := c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // registered twice: a mistake in this program
		}
	}
	if c.LocalFlags().Lookup("data-dir") != nil {
		if err := c.MarkFlagDirname("data-dir"); err != nil {
			panic(err) // there is no such flag: a mistake in this program
		}
	}
}

// addCompletionExamples completes the commands that cobra makes.
func addCompletionExamples(root *cobra.Command) {
	examples := map[string]string{
		"bash":       "  fastqueue completion bash > /etc/bash_completion.d/fastqueue",
		"zsh":        "  fastqueue completion zsh > \"${fpath[1]}/_fastqueue\"",
		"fish":       "  fastqueue completion fish > ~/.config/fish/completions/fastqueue.fish",
		"powershell": "  fastqueue completion powershell > fastqueue.ps1",
		"completion": "  fastqueue completion bash > /etc/bash_completion.d/fastqueue",
		"help":       "  fastqueue help serve",
	}
	for _, c := range allCommands(root) {
		if c.Example == "" {
			c.Example = examples[c.Name()]
		}
	}
}
