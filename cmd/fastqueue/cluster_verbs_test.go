package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// verb runs the program to its end, as the admin who asks all nodes in turn, and returns what it printed.
func (c *testCluster) verb(stdin string, args ...string) (stdout, stderr string, code int) {
	c.t.Helper()
	var urls []string
	for _, n := range c.nodes {
		urls = append(urls, n.URL())
	}
	environment := []string{"FASTQUEUE_URL=" + strings.Join(urls, ","), "FASTQUEUE_TOKEN=" + c.Token(), "XDG_CONFIG_HOME=" + c.t.TempDir()}
	return runProgram(c.t, c.Binary, environment, stdin, args...)
}

// runProgram runs a program to its end.
func runProgram(t *testing.T, binary string, environment []string, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.SysProcAttr = nodes.DiesWithParent()
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatalf("%q: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// mustVerb runs a verb that has to succeed and returns its standard output.
func (c *testCluster) mustVerb(args ...string) string {
	c.t.Helper()
	stdout, stderr, code := c.verb("", args...)
	if code != 0 {
		c.t.Fatalf("%q ended with code %d:\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// statusSays waits until "cluster status" begins with a text: nodes hear of each other once a second.
func (c *testCluster) statusSays(beginning string) (table string) {
	c.t.Helper()
	eventually(c.t, "status begins with "+beginning, func() error {
		if table = c.mustVerb("cluster", "status"); !strings.HasPrefix(table, beginning) {
			return fmt.Errorf("status:\n%s", table)
		}
		return nil
	})
	return table
}

// line returns the line of a table that begins with a word.
func line(table, word string) string {
	for l := range strings.Lines(table) {
		if strings.HasPrefix(l, word+" ") {
			return l
		}
	}
	return ""
}

// TestClusterStatus looks at a cluster that is whole, that misses a node, and that has no leader any more.
func TestClusterStatus(t *testing.T) {
	c := startCluster(t, 3)
	leader := c.waitLeader()
	table := c.statusSays("Healthy. 3 of 3 voters up. You can lose 1 node.\n")
	if l := line(table, leader.Name); !strings.Contains(l, " leader ") {
		t.Errorf("the leader's line is %q", l)
	}
	down := c.others(leader)[0]
	down.kill()
	table = c.statusSays("Degraded. 2 of 3 voters up")
	if l := line(table, down.Name); !strings.Contains(l, " NO ") {
		t.Errorf("the line of the node that is down is %q", l)
	}
	leader.kill()
	c.statusSays("No leader. 1 of 3 voters up")
	var view client.Cluster
	if err := json.Unmarshal([]byte(c.mustVerb("cluster", "status", "-o", "json")), &view); err != nil || view.Leader != "" || len(view.Members) != 3 {
		t.Errorf("view %+v, %v", view, err)
	}
}

func TestClusterRemove(t *testing.T) {
	c := startCluster(t, 3)
	gone := c.others(c.waitLeader())[0]
	if _, stderr, code := c.verb("no\n", "cluster", "remove", gone.Name); code != exitUsage || !strings.Contains(stderr, "nothing was done") {
		t.Errorf("without confirmation: code %d, %s", code, stderr)
	}
	if _, stderr, code := c.verb("", "cluster", "remove", "nobody", "--yes"); code != exitNotFound {
		t.Errorf("an unknown node: code %d, %s", code, stderr)
	}
	c.waitVoters(3)
	gone.kill()
	if stdout, stderr, code := c.verb(gone.Name+"\n", "cluster", "remove", gone.Name); code != 0 || !strings.Contains(stdout, "no member") {
		t.Fatalf("code %d: %s%s", code, stdout, stderr)
	}
	c.statusSays("Healthy. 2 of 2 voters up")
	last := c.others(gone)
	last[1].kill()
	c.waitDown(last[0], last[1])
	if _, stderr, code := c.verb("", "cluster", "remove", last[0].Name, "--yes"); code == 0 {
		t.Errorf("removing one of two while the other is down succeeded: %s", stderr)
	}
}

// waitDown waits until a node notices that another one does not answer.
func (c *testCluster) waitDown(at, down *testNode) {
	c.t.Helper()
	eventually(c.t, down.Name+" is down", func() error {
		v, err := at.View(c.t.Context())
		if err != nil {
			return err
		}
		for _, m := range v.Members {
			if m.Name == down.Name && m.Up {
				return errors.New("still up")
			}
		}
		return nil
	})
}

func TestClusterTransfer(t *testing.T) {
	c := startCluster(t, 3)
	for range 2 { // there and back
		former := c.waitLeader()
		next := c.others(former)[0]
		if stdout := c.mustVerb("cluster", "transfer", next.Name); !strings.HasPrefix(stdout, next.Name+" leads") {
			t.Errorf("transfer to %s says %q", next.Name, stdout)
		}
		if leader := c.waitLeader(); leader != next {
			t.Errorf("%s leads, want %s", leader.Name, next.Name)
		}
	}
	var answer map[string]string
	if err := json.Unmarshal([]byte(c.mustVerb("cluster", "transfer", "-o", "json")), &answer); err != nil || answer["leader"] == "" {
		t.Errorf("answer %v, %v", answer, err)
	}
	if _, stderr, code := c.verb("", "cluster", "transfer", "nobody"); code != exitNotFound {
		t.Errorf("an unknown node: code %d, %s", code, stderr)
	}
}

// TestClusterJoinToken lets a node join with a token that was made for it, and refuses the next one after that was revoked.
func TestClusterJoinToken(t *testing.T) {
	c := startCluster(t, 1)
	var token client.JoinToken
	if err := json.Unmarshal([]byte(c.mustVerb("cluster", "join-token", "create", "-o", "json")), &token); err != nil || token.Token == "" {
		t.Fatalf("token %+v, %v", token, err)
	}
	if list := c.mustVerb("cluster", "join-token", "list"); line(list, token.ID) == "" || strings.Contains(list, token.Token) {
		t.Errorf("want the id %s and not the token in\n%s", token.ID, list)
	}
	join := func(name string) *process {
		return startProcess(t, name, c.Binary, []string{"FASTQUEUE_JOIN_TOKEN=" + token.Token}, []string{"join", c.nodes[0].Peer, "--node-name", name,
			"--data-dir", filepath.Join(t.TempDir(), name), "--http-addr", freeAddress(t), "--cluster-addr", freeAddress(t)})
	}
	join("welcome").says("joined")
	c.mustVerb("cluster", "join-token", "revoke", token.ID)
	if list := c.mustVerb("cluster", "join-token", "list"); line(list, token.ID) != "" {
		t.Errorf("the revoked token is still in\n%s", list)
	}
	refusal(t, join("late"), "token")
	if _, stderr, code := c.verb("", "cluster", "join-token", "revoke", token.ID); code != exitNotFound {
		t.Errorf("revoked twice: code %d, %s", code, stderr)
	}
}

// TestAuthResetPassword is the admin who lost the password.
func TestAuthResetPassword(t *testing.T) {
	c := startCluster(t, 1)
	node := c.nodes[0]
	file := filepath.Join(t.TempDir(), "password")
	reset := func(password, dataDir string) (stderr string, code int) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, code = runProgram(t, c.Binary, nil, "", "auth", "reset-password", "admin", "--url", node.URL(), "--data-dir", dataDir, "--new-password-file", file)
		return stderr, code
	}
	for _, password := range []string{"another horse battery", "and yet another horse"} { // the secret is made anew for the second
		if stderr, code := reset(password, node.DataDir); code != 0 {
			t.Fatalf("code %d: %s", code, stderr)
		}
		api := c.newClient(client.Config{URLs: []string{node.URL()}, Username: "admin", Password: password})
		if err := api.Login(t.Context()); err != nil {
			t.Errorf("log-in with the new password: %v", err)
		}
	}
	if _, err := c.client(0).Queues(t.Context()); err == nil {
		t.Error("the token of before is still good")
	}
	if stderr, code := reset("whatever it may be", t.TempDir()); code == 0 || !strings.Contains(stderr, "--data-dir") {
		t.Errorf("with another directory: code %d, %s", code, stderr)
	}
	if info, err := os.Stat(filepath.Join(node.DataDir, localSecretFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret's file: %v, %v; want mode 0600", info, err)
	}
	before, err := os.ReadFile(filepath.Join(node.DataDir, localSecretFile))
	if err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, localSecretFile), bytes.ToUpper(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if stderr, code := reset("whatever it may be", foreign); code != exitDenied || !strings.Contains(stderr, "belong to one node") {
		t.Errorf("with another secret: code %d, %s", code, stderr)
	}
}

// TestConfigShow looks at the settings of a verb as a script and as a person do.
func TestConfigShow(t *testing.T) {
	binary := plainBinary(t)
	file := writeConfig(t, "data-dir: /srv/q\nurl: [http://a:1, http://b:1]\n")
	environment := []string{"FASTQUEUE_CONFIG=" + file, "FASTQUEUE_LOG_LEVEL=debug", "FASTQUEUE_JOIN_TOKEN=do-not-show-this", "FASTQUEUE_PERS=x"}
	stdout, stderr, code := runProgram(t, binary, environment, "", "config", "show", "serve", "-o", "json")
	var shown shownSettings
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || code != 0 {
		t.Fatalf("code %d, %v: %s%s", code, err, stdout, stderr)
	}
	got := map[string]string{}
	for _, s := range shown.Settings {
		got[s.Name] = s.Value + " from " + s.Origin
	}
	for name, want := range map[string]string{"data-dir": "/srv/q from " + file + ":1", "log-level": "debug from FASTQUEUE_LOG_LEVEL",
		"drain-time": "5s from default", "FASTQUEUE_JOIN_TOKEN": "(not shown) from environment"} {
		if got[name] != want {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
	if _, there := got["url"]; there || shown.File != file {
		t.Errorf("settings %v of %s: serve has no --url", got, shown.File)
	}
	if !strings.Contains(stderr, "FASTQUEUE_PEERS?") {
		t.Errorf("no warning of the slip in a variable: %q", stderr)
	}
	stdout, _, _ = runProgram(t, binary, environment, "", "config", "show")
	for _, want := range []string{"Configuration file: " + file, "data-dir ", "[http://a:1,http://b:1]", "(not shown)"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("all settings do not say %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "do-not-show") {
		t.Errorf("a secret is shown:\n%s", stdout)
	}
}
