package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// probe is a program with flags of each kind, which notes what its verb was given.
func probe(t *testing.T) (root *cobra.Command, got *nodeOptions) {
	t.Helper()
	got = &nodeOptions{}
	root = &cobra.Command{Use: "fastqueue", SilenceErrors: true, SilenceUsage: true, PersistentPreRunE: configure}
	root.PersistentFlags().String(configFlag, "", "")
	verb := &cobra.Command{Use: "probe", RunE: func(*cobra.Command, []string) error { return nil }}
	got.addFlags(verb.Flags())
	verb.Flags().String("token", "", "")
	flagOnly(verb.Flags(), "token")
	root.AddCommand(verb)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, variablePrefix) {
			t.Setenv(name, "")
		}
	}
	return root, got
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	const file = "drain-time: 3s\npeers: [f1:1, f2:2]\nlog-level: warn\nnode-name: 007\n"
	tests := []struct {
		name        string
		environment map[string]string
		args        []string
		want        func(o *nodeOptions) bool
		origins     map[string]string
	}{
		{name: "defaults", want: func(o *nodeOptions) bool { return o.drainTime.String() == "5s" && len(o.peers) == 0 },
			origins: map[string]string{"drain-time": "default"}},
		{name: "file over default", args: []string{"--config", "FILE"},
			want: func(o *nodeOptions) bool {
				return o.drainTime.String() == "3s" && slices.Equal(o.peers, []string{"f1:1", "f2:2"}) && o.nodeName == "007"
			},
			origins: map[string]string{"drain-time": "FILE:1", "peers": "FILE:2", "log-format": "default"}},
		{name: "file named by the environment", environment: map[string]string{"FASTQUEUE_CONFIG": "FILE"},
			want: func(o *nodeOptions) bool { return o.drainTime.String() == "3s" }},
		{name: "environment over file", args: []string{"--config", "FILE"},
			environment: map[string]string{"FASTQUEUE_DRAIN_TIME": "4s", "FASTQUEUE_PEERS": "e1:1, e2:2"},
			want: func(o *nodeOptions) bool {
				return o.drainTime.String() == "4s" && slices.Equal(o.peers, []string{"e1:1", "e2:2"}) && o.logLevel == "warn"
			},
			origins: map[string]string{"drain-time": "FASTQUEUE_DRAIN_TIME", "log-level": "FILE:3"}},
		{name: "flag over all", args: []string{"--config", "FILE", "--drain-time", "6s", "--peers", "c1:1"},
			environment: map[string]string{"FASTQUEUE_DRAIN_TIME": "4s", "FASTQUEUE_PEERS": "e1:1"},
			want: func(o *nodeOptions) bool {
				return o.drainTime.String() == "6s" && slices.Equal(o.peers, []string{"c1:1"})
			},
			origins: map[string]string{"drain-time": "command line", "peers": "command line"}},
		{name: "an empty variable is absent", args: []string{"--config", "FILE"}, environment: map[string]string{"FASTQUEUE_DRAIN_TIME": ""},
			want: func(o *nodeOptions) bool { return o.drainTime.String() == "3s" }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			root, got := probe(t)
			path := writeConfig(t, file)
			name := func(s string) string { return strings.ReplaceAll(s, "FILE", path) }
			for variable, value := range tc.environment {
				t.Setenv(variable, name(value))
			}
			args := []string{"probe"}
			for _, a := range tc.args {
				args = append(args, name(a))
			}
			root.SetArgs(args)
			cmd, err := root.ExecuteC()
			if err != nil || !tc.want(got) {
				t.Errorf("got %+v, %v", got, err)
			}
			for flag, want := range tc.origins {
				if o := origin(cmd.Flags().Lookup(flag)); o != name(want) {
					t.Errorf("--%s comes from %q, want %q", flag, o, name(want))
				}
			}
		})
	}
}

func TestTheUsersOwnFileIsReadIfItExists(t *testing.T) {
	root, got := probe(t)
	dir := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "fastqueue")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("log-level: trace"), 0o600); err != nil {
		t.Fatal(err)
	}
	root.SetArgs([]string{"probe"})
	if err := root.Execute(); err != nil || got.logLevel != "trace" {
		t.Errorf("log level %q, %v; want trace", got.logLevel, err)
	}
}

func TestRefusedConfiguration(t *testing.T) {
	tests := []struct {
		name, file, variable, value string
		says                        []string
	}{
		{name: "unknown key", file: "log-level: info\n\npers: [a:1]\n", says: []string{"config.yaml:3", `"pers"`, `"peers"`}},
		{name: "a secret", file: "token: abc\n", says: []string{"config.yaml:1", `"token"`}},
		{name: "bad value", file: "drain-time: soon\n", says: []string{"config.yaml:1", "drain-time", "soon"}},
		{name: "list for one value", file: "drain-time: [1s]\n", says: []string{"config.yaml:1", "drain-time", "one value"}},
		{name: "a map", file: "peers:\n  a: b\n", says: []string{"config.yaml:1", "peers"}},
		{name: "no value", file: "peers:\n", says: []string{"config.yaml:1", "peers"}},
		{name: "twice", file: "log-level: info\nlog-level: warn\n", says: []string{"config.yaml", "log-level"}},
		{name: "not YAML", file: "a: [\n", says: []string{"config.yaml", "not YAML"}},
		{name: "not settings", file: "just words\n", says: []string{"config.yaml:1", "name: value"}},
		{name: "two documents", file: "log-level: info\n---\nlog-level: warn\n", says: []string{"several documents"}},
		{name: "bad variable", variable: "FASTQUEUE_DRAIN_TIME", value: "soon", says: []string{"FASTQUEUE_DRAIN_TIME", "soon", "--drain-time"}},
		{name: "no such file", variable: "FASTQUEUE_CONFIG", value: "/nowhere/config.yaml", says: []string{"/nowhere/config.yaml", "--config"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			root, _ := probe(t)
			if tc.variable != "" {
				t.Setenv(tc.variable, tc.value)
			}
			args := []string{"probe"}
			if tc.file != "" {
				args = append(args, "--config", writeConfig(t, tc.file))
			}
			root.SetArgs(args)
			err := root.Execute()
			if exitCode(err) != exitUsage {
				t.Fatalf("error %v with exit code %d, want %d", err, exitCode(err), exitUsage)
			}
			for _, word := range tc.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
}

func TestHarmlessConfiguration(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "---\n# nothing\n---\n", "log-level: \"info\"\n", "{log-level: info}\n"} {
		root, _ := probe(t)
		root.SetArgs([]string{"probe", "--config", writeConfig(t, text)})
		if err := root.Execute(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	settings := settingNames(newRootCommand())
	environment := []string{"FASTQUEUE_PERS=a", "FASTQUEUE_PEERS=a", "FASTQUEUE_JOIN_TOKN=x", "FASTQUEUE_CONFIG=x", "PATH=/bin",
		// what Kubernetes sets beside a service of the name fastqueue
		"FASTQUEUE_SERVICE_HOST=10.0.0.1", "FASTQUEUE_SERVICE_PORT=9080", "FASTQUEUE_SERVICE_PORT_HTTP=9080",
		"FASTQUEUE_PORT=tcp://10.0.0.1:9080", "FASTQUEUE_PORT_9080_TCP=tcp://10.0.0.1:9080",
		"FASTQUEUE_PORT_9080_TCP_PROTO=tcp", "FASTQUEUE_PORT_9080_TCP_PORT=9080", "FASTQUEUE_PORT_9080_TCP_ADDR=10.0.0.1"}
	got := unknownVariables(environment, settings)
	if len(got) != 2 || !strings.Contains(got[0], "FASTQUEUE_JOIN_TOKEN?") || !strings.Contains(got[1], "FASTQUEUE_PEERS?") {
		t.Errorf("warnings %q, want one for each of the two slips", got)
	}
}

func TestWhatAServiceSaysIsNoPort(t *testing.T) {
	c := configuration{lookup: func(name string) (string, bool) { return "tcp://10.0.0.1:9080", name == "FASTQUEUE_PORT" }}
	dev := newDevCommand()
	if err := c.resolve(dev); err != nil || dev.Flags().Lookup("port").Value.String() != "9080" {
		t.Errorf("port %s, %v; want the default", dev.Flags().Lookup("port").Value, err)
	}
}

func TestErrorsNameTheOriginOfAFlag(t *testing.T) {
	file := writeConfig(t, "node-name: a/b\n")
	tests := []struct{ variable, value, says string }{
		{"FASTQUEUE_LOG_LEVEL", "loud", "(--log-level comes from FASTQUEUE_LOG_LEVEL)"},
		{"FASTQUEUE_CONFIG", file, "(--node-name comes from " + file + ":1)"},
	}
	for _, tc := range tests {
		t.Run(tc.variable, func(t *testing.T) {
			t.Setenv(tc.variable, tc.value)
			err := run(t.Context(), []string{"serve", "--data-dir", t.TempDir()})
			if err == nil || !strings.HasSuffix(err.Error(), tc.says) || exitCode(err) != exitUsage {
				t.Errorf("error %v with exit code %d, want one of usage that ends with %s", err, exitCode(err), tc.says)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	for _, tc := range []struct{ word, want string }{{"pears", "peers"}, {"PEERS", "peers"}, {"logstore", "log-store"}, {"zzzzzzzz", ""}} {
		got := didYouMean(tc.word, []string{"log-level", "log-store", "peers"})
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.word, got, tc.want)
		}
	}
}
