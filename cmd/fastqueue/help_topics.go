package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newHelpTopics returns the pages of help that belong to no verb.
func newHelpTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesHelp()},
		{Use: "configuration", Short: "Flags, variables and the configuration file", Long: configurationHelp},
	}
}

func exitCodesHelp() string {
	var b strings.Builder
	b.WriteString("Every verb ends with one of these codes:\n\n")
	for _, m := range exitMeanings() {
		fmt.Fprintf(&b, "  %2d  %s\n", m.code, m.meaning)
	}
	b.WriteString("\nA node that ends with 75 should be started again by its supervisor: it waits until its disk has room.")
	return b.String()
}

const configurationHelp = `Every flag of every verb can be set in four ways. The first one that says something counts:

  1. the command line         --log-level debug
  2. the environment          FASTQUEUE_LOG_LEVEL=debug
  3. the configuration file   log-level: debug
  4. the default

The variable of a flag is its name in capitals with FASTQUEUE_ in front and _ for -. An empty variable counts as not set.
Flags that can be repeated take several values with commas between them.

The file is YAML, a line for each flag, with the flag's name as its key; a list where a flag can be repeated. It is the one
that --config names, or FASTQUEUE_CONFIG, or fastqueue/config.yaml in the user's configuration directory if that exists.
One file may hold settings of several verbs. A name that no verb knows is refused.

  data-dir: /var/lib/fastqueue
  peers: [n1:9081, n2:9081, n3:9081]
  drain-time: 10s

Secrets are not flags. They are given in files, or in these variables:

  FASTQUEUE_JOIN_TOKEN       serve, join: what proves that a node may join
  FASTQUEUE_ADMIN_PASSWORD   serve: the first password of the user admin
  FASTQUEUE_PASSWORD         the password that belongs to --username
  FASTQUEUE_NEW_PASSWORD     the password that a verb sets
  FASTQUEUE_API_KEY          an API key, instead of user and password
  FASTQUEUE_TOKEN            an access token, instead of user and password

"fastqueue config show" tells what is in force and where it comes from.`
