package main

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// tableRows returns the cells of all rows of tables in a document that begin with a text in backquotes.
func tableRows(document string) [][]string {
	var rows [][]string
	for line := range strings.Lines(document) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") || !strings.HasSuffix(line, " |") {
			continue
		}
		cells := strings.Split(line[1:len(line)-1], "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// section is the part of docs/operations.md under a heading of the second level.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(repositoryFile(t, "docs/operations.md"), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/operations.md has no section %q", heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// TestLimitsAreDocumented compares the table of limits with the source.
func TestLimitsAreDocumented(t *testing.T) {
	want := map[string]string{}
	for prefix, limits := range map[string]constants{"": constantsOf(t, "fsm/limits.go"), "HTTP ": httpLimits(t)} {
		for name := range limits {
			want[prefix+name] = limits.shown(t, name)
		}
	}
	have := map[string]string{}
	for _, row := range tableRows(section(t, "Limits")) {
		have[strings.Trim(row[0], "`")] = row[1]
	}
	compareTables(t, have, want)
}

// shown is a limit as the document writes it.
func (c constants) shown(t *testing.T, name string) string {
	t.Helper()
	n := c.number(t, name)
	switch {
	case c.isTime(name):
		return documentedTime(time.Duration(n))
	case strings.Contains(name, "Bytes") && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case strings.Contains(name, "Bytes") && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	case strings.Contains(name, "Bytes"):
		return fmt.Sprintf("%d bytes", n)
	}
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func documentedTime(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// compareTables wants a table of the document to say what the program says, no more and no less.
func compareTables(t *testing.T, have, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got, ok := have[name]; !ok {
			t.Errorf("docs/operations.md lacks a row for %s (%s)", name, want[name])
		} else if got != want[name] {
			t.Errorf("docs/operations.md says %q of %s, it is %q", got, name, want[name])
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			t.Errorf("docs/operations.md has a row for %s, which does not exist", name)
		}
	}
}

// TestFlagsAreDocumented compares the tables of flags with the flag sets of all verbs. A row is for its verbs and for all
// below them that have the flag.
func TestFlagsAreDocumented(t *testing.T) {
	type row struct{ verbs, text string }
	unused := map[string]bool{} // verbs and flags of the document that no verb has had so far
	rows := map[string][]row{}  // by flag
	for _, cells := range tableRows(section(t, "Flags and variables")) {
		if flag := strings.Trim(cells[0], "`"); strings.HasPrefix(flag, "--") {
			for verb := range strings.SplitSeq(cells[1], ", ") {
				rows[flag] = append(rows[flag], row{verb, strings.Trim(cells[2], "`")})
				unused[verb+" "+flag] = true
			}
		}
	}
	for _, cmd := range allCommands(newRootCommand()) {
		if !hasSettings(cmd) {
			continue
		}
		verb := strings.TrimPrefix(cmd.CommandPath(), "fastqueue ")
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" || f.Name == "version" {
				return
			}
			flag, found := "--"+f.Name, false
			for _, r := range rows[flag] {
				if strings.HasPrefix(verb+" ", r.verbs+" ") && r.text == documentedDefault(f) {
					found = true
					delete(unused, r.verbs+" "+flag)
				}
			}
			if !found {
				t.Errorf("docs/operations.md has no row for %s of %s with the default %q", flag, verb, documentedDefault(f))
			}
		})
	}
	for what := range unused {
		t.Errorf("docs/operations.md has a row for %s, which does not exist", what)
	}
}

// documentedDefault is the default of a flag as the document writes it.
func documentedDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "[]":
		return ""
	}
	return strings.Trim(f.DefValue, "[]")
}

// TestSecretsAndExitCodesAreDocumented looks for every secret variable and every exit code.
func TestSecretsAndExitCodesAreDocumented(t *testing.T) {
	flags := section(t, "Flags and variables")
	for _, name := range append(secretVariables(), configVariable) {
		if !strings.Contains(flags, "`"+name+"`") {
			t.Errorf("docs/operations.md does not explain %s", name)
		}
	}
	want, have := map[string]string{}, map[string]string{}
	for _, m := range exitMeanings() {
		want[strconv.Itoa(m.code)] = m.meaning
	}
	for _, row := range tableRows(section(t, "Exit codes")) {
		have[strings.Trim(row[0], "`")] = row[1]
	}
	compareTables(t, have, want)
}

// TestSamplesShowTheQuestions compares what verbs ask with the samples that show them.
func TestSamplesShowTheQuestions(t *testing.T) {
	withoutCredentials(t)
	t.Setenv(tokenVariable, "t")
	document := repositoryFile(t, "docs/operations.md")
	for line, name := range map[string]string{"cluster remove n3": "n3", "queue purge jobs": "jobs"} {
		var asked bytes.Buffer
		root := newRootCommand()
		root.SetArgs(strings.Fields(line))
		root.SetIn(strings.NewReader("no\n"))
		root.SetErr(&asked)
		if err := root.ExecuteContext(t.Context()); exitCode(err) != exitUsage {
			t.Errorf("%s, not confirmed: error %v with code %d, want %d", line, err, exitCode(err), exitUsage)
		}
		if want := "$ fastqueue " + line + "\n" + asked.String() + name + "\n"; !strings.Contains(document, want) {
			t.Errorf("docs/operations.md does not show\n%s", want)
		}
	}
}

// TestAlertsLeadToARunbook looks for the place that each alert names.
func TestAlertsLeadToARunbook(t *testing.T) {
	document := repositoryFile(t, "docs/operations.md")
	links := regexp.MustCompile(`docs/operations\.md#([\w-]+)`).FindAllStringSubmatch(repositoryFile(t, "deploy/prometheus/alerts.yaml"), -1)
	if len(links) == 0 {
		t.Error("no alert names a runbook")
	}
	for _, link := range links {
		if !strings.Contains(document, `<a id="`+link[1]+`"></a>`) {
			t.Errorf("docs/operations.md has no place %s, where an alert leads", link[1])
		}
	}
}
