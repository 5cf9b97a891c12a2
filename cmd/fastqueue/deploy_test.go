package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"
)

// These tests give what the files in deploy/ say to the program's own flag parser: a flag that is renamed must not be found
// out by the next one who starts a cluster.

// repositoryFile returns the content of a file of the repository.
func repositoryFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// deployedNode is the command line and environment of one node, as a file in deploy/ has it.
type deployedNode struct {
	args []string
	env  map[string]string
}

// options returns what the program makes of them.
func (n deployedNode) options(t *testing.T) nodeOptions {
	t.Helper()
	root := newRootCommand()
	cmd, rest, err := root.Find(n.args)
	if err != nil {
		t.Fatalf("%q: %v", n.args, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Fatalf("%q: %v", n.args, err)
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Fatalf("%q: %v", n.args, err)
	}
	checkVariables(t, n.env)
	c := configuration{lookup: func(name string) (string, bool) { value, ok := n.env[name]; return value, ok }}
	if err := c.resolve(cmd); err != nil {
		t.Fatal(err)
	}
	var o nodeOptions
	flags := pflag.NewFlagSet("node", pflag.ContinueOnError)
	o.addFlags(flags)
	flags.VisitAll(func(f *pflag.Flag) {
		parsed := cmd.Flags().Lookup(f.Name)
		if parsed == nil {
			t.Fatalf("%q is not the command line of a node: it has no --%s", n.args, f.Name)
		}
		err := error(nil)
		if list, ok := f.Value.(pflag.SliceValue); ok {
			err = list.Replace(parsed.Value.(pflag.SliceValue).GetSlice())
		} else {
			err = f.Value.Set(parsed.Value.String())
		}
		if err != nil {
			t.Fatalf("--%s: %v", f.Name, err)
		}
	})
	if err := o.complete(); err != nil {
		t.Fatalf("%q, %v: %v", n.args, n.env, err)
	}
	return o
}

// checkVariables refuses variables that the program does not know.
func checkVariables(t *testing.T, env map[string]string) {
	t.Helper()
	known := append(secretVariables(), configVariable)
	for name := range settingNames(newRootCommand()) {
		known = append(known, variableName(name))
	}
	for name := range env {
		if strings.HasPrefix(name, variablePrefix) && !slices.Contains(known, name) {
			t.Errorf("the variable %s is not known", name)
		}
	}
}

// checkPeers wants every node to name all of them, by the addresses that they advertise.
func checkPeers(t *testing.T, nodes []nodeOptions) {
	t.Helper()
	var want []string
	names := map[string]bool{}
	for _, o := range nodes {
		want = append(want, o.advertiseCluster)
		names[o.nodeName] = true
	}
	for _, o := range nodes {
		if !slices.Equal(o.peers, want) {
			t.Errorf("%s has the peers %q, and the nodes advertise %q", o.nodeName, o.peers, want)
		}
	}
	if len(names) != len(nodes) || len(nodes) != 3 {
		t.Errorf("the %d nodes have the names %v, want three different ones", len(nodes), names)
	}
}

// port is the port of an address or of a URL's authority.
func port(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// documents decodes every document of a YAML file.
func documents[T any](t *testing.T, path string) []T {
	t.Helper()
	var all []T
	for _, text := range strings.Split(repositoryFile(t, path), "\n---\n") {
		var d T
		if err := yaml.Unmarshal([]byte(text), &d); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, d)
	}
	return all
}

// environmentFile reads lines of the form NAME=VALUE.
func environmentFile(t *testing.T, path string) map[string]string {
	t.Helper()
	env := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(repositoryFile(t, path)))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(name, "#") {
			env[name] = value
		}
	}
	return env
}

// image is what the last stage of the Dockerfile says.
type image struct {
	entrypoint, cmd []string
	user            string
	env             map[string]string
	exposed         []string
	build           string            // the go build command of the stage before
	copied          map[string]string // path in the image: options and source
}

func readImage(t *testing.T) image {
	t.Helper()
	i := image{}
	for line := range strings.Lines(repositoryFile(t, "deploy/Dockerfile")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "FROM": // a stage keeps nothing of the one before
			i = image{env: map[string]string{}, copied: map[string]string{}, build: i.build}
			if rest != "scratch" && i.build != "" {
				t.Errorf("the last stage begins with %s, want scratch", rest)
			}
		case "RUN":
			if strings.Contains(rest, "go build") {
				i.build = rest
			}
		case "COPY":
			words := strings.Fields(rest)
			i.copied[words[len(words)-1]] = strings.Join(words[:len(words)-1], " ")
		case "ENV":
			name, value, _ := strings.Cut(rest, "=")
			i.env[name] = value
		case "EXPOSE":
			i.exposed = strings.Fields(rest)
		case "USER":
			i.user = rest
		case "ENTRYPOINT":
			i.entrypoint = words(t, rest)
		case "CMD":
			i.cmd = words(t, rest)
		}
	}
	return i
}

// words reads the JSON form of a command: the other form needs a shell, and there is none.
func words(t *testing.T, text string) (list []string) {
	t.Helper()
	if err := json.NewDecoder(bytes.NewBufferString(text)).Decode(&list); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return list
}

func TestImageStartsANode(t *testing.T) {
	i := readImage(t)
	if _, ok := i.copied[i.entrypoint[0]]; !ok || len(i.entrypoint) != 1 {
		t.Errorf("ENTRYPOINT %q is not what is copied: %v", i.entrypoint, i.copied)
	}
	if !strings.Contains(i.build, "CGO_ENABLED=0") {
		t.Errorf("%q does not make a static binary", i.build)
	}
	o := deployedNode{i.cmd, i.env}.options(t)
	if want := []string{port(o.httpAddr), port(o.clusterAddr)}; !slices.Equal(i.exposed, want) {
		t.Errorf("EXPOSE %q, the node listens on %q", i.exposed, want)
	}
	if how := i.copied[o.dataDir]; !strings.Contains(how, "--chown="+i.user) {
		t.Errorf("%s, where the data goes, does not belong to the user %s: %q", o.dataDir, i.user, how)
	}
}
