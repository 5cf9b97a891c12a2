package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"
)

func TestEveryCommandHasAnExampleThatParses(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range allCommands(newRootCommand()) {
		if seen[c.CommandPath()] {
			t.Errorf("%s is there twice", c.CommandPath())
		}
		seen[c.CommandPath()] = true
		if c.IsAdditionalHelpTopicCommand() {
			continue
		}
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: short %q, example %q; want both", c.CommandPath(), c.Short, c.Example)
		}
		own := false
		for _, line := range exampleCommands(c.Example) {
			found, err := parseCommandLine(line)
			if err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
			}
			own = own || found == c.CommandPath() || c.HasSubCommands()
		}
		if !own && c.Name() != "help" {
			t.Errorf("%s: no example uses it:\n%s", c.CommandPath(), c.Example)
		}
	}
}

// parseCommandLine gives the words behind "fastqueue" to the real parser, and returns which command they name.
func parseCommandLine(words []string) (string, error) {
	found, args, err := newRootCommand().Find(words)
	if err != nil {
		return "", err
	}
	if err := found.ParseFlags(args); err != nil {
		return "", err
	}
	return found.CommandPath(), found.ValidateArgs(found.Flags().Args())
}

// wordPattern is a quoted or plain word, or what ends a command.
var wordPattern = regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\|\||&&|[|;>])|((?:[^\s|;>'"]|"[^"]*"|'[^']*')+)`)

// exampleCommands finds the calls of this program in the text of an example.
func exampleCommands(text string) [][]string {
	var calls [][]string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line, _, _ = strings.Cut(" "+line, " #")
		var call []string
		redirected := false
		end := func() {
			if len(call) > 0 && call[0] == "fastqueue" {
				calls = append(calls, call[1:])
			}
			call, redirected = nil, false
		}
		for _, word := range wordPattern.FindAllStringSubmatch(line, -1) {
			switch {
			case word[3] == ">":
				redirected = true
			case word[3] != "":
				end()
			case redirected:
			case len(call) == 0 && word[4] != "fastqueue": // variables, sudo and other programs come before
			case len(call) == 1 && word[4] == "fastqueue": // the first one was the user's name behind sudo -u
			default:
				call = append(call, word[1]+word[2]+strings.Trim(word[4], `"'`))
			}
		}
		end()
	}
	return calls
}

// TestAnUnknownOutputIsRefusedBeforeAnythingIsDone asks a node that counts: a verb whose answer can't be shown may have no
// effect, least of all one that makes a secret.
func TestAnUnknownOutputIsRefusedBeforeAnythingIsDone(t *testing.T) {
	var asked atomic.Int64
	node := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer node.Close()
	t.Setenv("FASTQUEUE_API_KEY", "fqk_"+strings.Repeat("A", 43))
	t.Setenv("FASTQUEUE_URL", node.URL)
	verbs := 0
	for _, c := range allCommands(newRootCommand()) {
		if c.Flags().Lookup("output") == nil || c.Flags().Lookup("url") == nil {
			continue
		}
		args := strings.Fields(c.CommandPath())[1:]
		for given := []string{}; c.ValidateArgs(given) != nil && len(given) < 3; given = append(given, "x") {
			args = append(args, "x")
		}
		verbs++
		if err := run(t.Context(), append(args, "--output", "yaml")); exitCode(err) != exitUsage {
			t.Errorf("%v --output yaml: %v", args, err)
		}
	}
	if verbs < 10 || asked.Load() > 0 {
		t.Errorf("%d verbs with --output; they made %d requests", verbs, asked.Load())
	}
}

func TestExampleCommands(t *testing.T) {
	got := exampleCommands("  # fastqueue not this\n  A=b fastqueue serve --peers a,b \\\n      --x 'y z' # comment\n  cat f | fastqueue send q > out; sudo -u u fastqueue version\n")
	want := [][]string{{"serve", "--peers", "a,b", "--x", "y z"}, {"send", "q"}, {"version"}}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if strings.Join(got[i], "|") != strings.Join(want[i], "|") {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

func TestUsageErrorsNameTheNearestAndExitWith2(t *testing.T) {
	tests := []struct {
		line string
		says []string
	}{
		{"serv", []string{`"serv"`, `"serve"`, "fastqueue --help"}},
		{"cluster stats", []string{`"stats"`, "fastqueue cluster", `"status"`}},
		{"cluster join-token crate", []string{`"crate"`, `"create"`}},
		{"serve --pears a:1", []string{"--pears", `"peers"`}},
		{"serve --drain-time soon", []string{"--drain-time", "soon", "a time is needed"}},
		{"serve --metrics-open=maybe", []string{"--metrics-open", "true or false"}},
		{"serve --data-dir /proc/x", []string{"--data-dir /proc/x", "its size is 0"}},
		{"serve --data-dir /etc/passwd", []string{"--data-dir /etc/passwd", "is not a directory"}},
		{"join 127.0.0.1:1 --token t --data-dir /etc/passwd/x", []string{"--data-dir /etc/passwd/x", "is a file"}},
		{"dev --data-dir /etc/passwd", []string{"is not a directory"}},
		{"auth reset-password ada --data-dir /etc/passwd", []string{"is not a directory"}},
		{"join 127.0.0.1:1 --token short", []string{"join token has 5 characters"}},
		{"serve extra", []string{"extra", "usage: fastqueue serve"}},
		{"cluster remove", []string{"NODE is missing", "usage: fastqueue cluster remove NODE"}},
		{"serve --node-name a/b", []string{"--node-name"}},
		{"serve --registration ajar", []string{"--registration", "open and closed"}},
		{"serve --disk-reserve lots", []string{"--disk-reserve", "lots"}},
		{"serve --heartbeat 99ms", []string{"--heartbeat 99ms", "100ms to 10s"}},
		{"join 127.0.0.1:1 --heartbeat 11s", []string{"--heartbeat 11s", "100ms to 10s"}},
		{"serve --snapshot-entries 0", []string{"--snapshot-entries 0", "1 to 100000000"}},
		{"serve --trailing-logs 0", []string{"--trailing-logs 0", "1 to 100000000"}},
		{"serve --trailing-logs -1", []string{"--trailing-logs", "-1", "not negative"}},
		{"serve --snapshot-bytes 4095", []string{"--snapshot-bytes 4095B", "4KiB to 1TiB"}},
		{"serve --segment-bytes 2GiB", []string{"--segment-bytes 2GiB", "4KiB to 1GiB"}},
		{"serve --segment-bytes lots", []string{"--segment-bytes", "lots", "64MiB"}},
		{"join n1", []string{"TARGET", "n1"}},
		{"dev --nodes 9", []string{"--nodes 9", "1 to 7"}},
		{"config show serv", []string{`"serv"`}},
	}
	for _, tc := range tests {
		t.Run(tc.line, func(t *testing.T) {
			err := run(t.Context(), strings.Fields(tc.line))
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

func TestOneNodeIsNeededToResetAPassword(t *testing.T) {
	t.Setenv("FASTQUEUE_URL", "http://a:1,http://b:1")
	err := run(t.Context(), strings.Fields("auth reset-password ada"))
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "2 addresses") || !strings.Contains(err.Error(), "--url comes from FASTQUEUE_URL") {
		t.Errorf("error %v with code %d; want %d, and where the addresses come from", err, exitCode(err), exitUsage)
	}
}

func TestBadSecretsOfTheEnvironmentAreFaultsOfUsage(t *testing.T) {
	tests := []struct{ line, variable, value string }{
		{"serve", adminVariable, "short"},
		{"serve", joinTokenVariable, "short"},
		{"serve --peers 127.0.0.1:1", joinTokenVariable, "short"},
		{"serve --peers 127.0.0.1:1", joinTokenVariable, ""},
		{"dev", adminVariable, "short"},
		{"join 127.0.0.1:1", joinTokenVariable, "short"},
		{"join 127.0.0.1:1", joinTokenVariable, ""},
	}
	for _, tc := range tests {
		t.Run(tc.line+" "+tc.variable+"="+tc.value, func(t *testing.T) {
			t.Setenv("FASTQUEUE_LOG_LEVEL", "error")
			t.Setenv(tc.variable, tc.value)
			line := strings.Fields(tc.line)
			if line[0] == "dev" {
				line = append(line, "--port", strconv.Itoa(freeDevPort(t)))
			} else {
				line = append(line, "--data-dir", t.TempDir(), "--http-addr", freeAddress(t), "--cluster-addr", freeAddress(t))
			}
			if err := run(t.Context(), line); exitCode(err) != exitUsage {
				t.Errorf("error %v with code %d, want %d", err, exitCode(err), exitUsage)
			}
		})
	}
}

// printed runs a command line in this process and returns what it prints.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetArgs(args)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out.String()
}

func TestCompletion(t *testing.T) {
	tests := []struct {
		args []string
		want []string
	}{
		{[]string{"cluster", "status", "-o", ""}, []string{"table", "json"}},
		{[]string{"serve", "--log-store", ""}, []string{"bolt", "wal"}},
		{[]string{"cluster", ""}, []string{"status", "remove", "transfer", "join-token"}},
		{[]string{"config", "show", "cluster", ""}, []string{"status", "remove"}},
	}
	for _, tc := range tests {
		got := printed(t, append([]string{cobra.ShellCompNoDescRequestCmd}, tc.args...)...)
		for _, want := range tc.want {
			if !strings.Contains("\n"+got, "\n"+want+"\n") {
				t.Errorf("%q completes to %q, want %s among it", tc.args, got, want)
			}
		}
	}
}

func TestHelpWorksWithABrokenConfiguration(t *testing.T) {
	t.Setenv("FASTQUEUE_CONFIG", writeConfig(t, "nonsense: 1\n"))
	for _, args := range [][]string{{"help", "serve"}, {"serve", "--help"}, {"version"}, {"help", "exit-codes"}, {"help", "configuration"}, {}} {
		if printed(t, args...) == "" {
			t.Errorf("%q prints nothing", args)
		}
	}
}
