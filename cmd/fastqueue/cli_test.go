package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// shell runs the program as a person does, with a home of its own.
type shell struct {
	t      *testing.T
	binary string
	home   string
	env    []string
}

func newShell(t *testing.T, n *testNode) *shell {
	t.Helper()
	home := t.TempDir()
	return &shell{t: t, binary: n.c.Binary, home: home, env: []string{"XDG_CONFIG_HOME=" + home, "FASTQUEUE_URL=" + n.URL()}}
}

// said is what one command line did.
type said struct {
	stdout, stderr string
	code           int
}

// run runs a command line with the given standard input.
func (s *shell) run(stdin string, args ...string) said {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(s.binary, args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.SysProcAttr = nodes.DiesWithParent()
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		s.t.Fatalf("%v: %v", args, err)
	}
	return said{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ok runs a command line that must succeed, and returns what it printed.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	got := s.run("", args...)
	if got.code != 0 {
		s.t.Fatalf("%v: exit code %d, %s", args, got.code, got.stderr)
	}
	return got.stdout
}

// refused runs a command line that must end with a code, and say a word.
func (s *shell) refused(code int, word string, args ...string) {
	s.t.Helper()
	got := s.run("", args...)
	if got.code != code || !strings.Contains(got.stderr, word) {
		s.t.Errorf("%v: exit code %d, %q; want %d and %q", args, got.code, got.stderr, code, word)
	}
}

// file leaves a file in the home, which only its owner can read.
func (s *shell) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func TestTheCommandLineFromLoginToLogout(t *testing.T) {
	c := startCluster(t, 1)
	s := newShell(t, c.nodes[0])
	s.refused(exitDenied, "fastqueue auth login", "queue", "list")
	s.refused(exitUsage, "--password-file", "auth", "login", "admin")
	s.refused(exitDenied, "invalid_credentials", "auth", "login", "admin", "--password-file", s.file("wrong", "not the password\n"))
	s.ok("auth", "login", "admin", "--password-file", s.file("password", testPassword+"\n"))
	for path, want := range map[string]os.FileMode{"": 0o700, loginFile: 0o600} {
		info, err := os.Stat(filepath.Join(s.home, "fastqueue", path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %q: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	s.ok("queue", "create", "jobs", "--visibility-timeout", "1m", "--max-length", "5")
	s.refused(exitConflict, "queue_exists", "queue", "create", "jobs")
	s.refused(exitNotFound, "queue_not_found", "queue", "show", "nothing")

	sendInEveryWay(s)
	if all := s.ok("receive", "jobs", "--max", "10", "--exec", `cat; echo " $FASTQUEUE_QUEUE $FASTQUEUE_RECEIVE_COUNT $FASTQUEUE_MESSAGE_ATTRIBUTES"`); !strings.Contains(all,
		"argument jobs 1 {}\n") || !strings.Contains(all, "whole\nfile\n jobs 1 {\"k\":\"v\"}\n") || strings.Count(all, " jobs 1 ") != 5 {
		t.Errorf("five commands printed %q", all)
	}
	var q client.QueueDetails
	if err := json.Unmarshal([]byte(s.ok("queue", "show", "jobs", "-o", "json")), &q); err != nil || q.MessageCount != 0 || q.MaxLength != 5 || q.VisibilityTimeout != 60 {
		t.Errorf("after the worker the queue is %+v, %v", q, err)
	}

	receiveAndDelete(s)
	useAnAPIKey(s)
	s.refused(exitUsage, "--yes", "queue", "delete", "jobs")
	if got := s.run("jobs\n", "queue", "delete", "jobs"); got.code != 0 {
		t.Errorf("delete confirmed by name: %d %s", got.code, got.stderr)
	}
	s.ok("auth", "logout")
	s.refused(exitDenied, "fastqueue auth login", "queue", "list")
	if b, err := os.ReadFile(filepath.Join(s.home, "fastqueue", loginFile)); err != nil || strings.Contains(string(b), "token") {
		t.Errorf("after logout the file holds %s, %v", b, err)
	}
}

// sendInEveryWay fills the queue, which takes five messages.
func sendInEveryWay(s *shell) {
	s.t.Helper()
	if id := s.ok("send", "jobs", "argument"); len(strings.Fields(id)) != 1 {
		s.t.Errorf("send printed %q, want an id", id)
	}
	s.ok("send", "jobs", "--attribute", "k=v", "--body-file", s.file("body", "whole\nfile\n"))
	if got := s.run("from stdin", "send", "jobs"); got.code != 0 {
		s.t.Errorf("send from standard input: %d %s", got.code, got.stderr)
	}
	got := s.run("1\n\n2\n3\n4\n", "send", "jobs", "--lines")
	if got.code != exitPartly || len(strings.Fields(got.stdout)) != 2 || !strings.Contains(got.stderr, "queue_full") || !strings.Contains(got.stderr, "line 4") {
		s.t.Errorf("four lines for a queue with room for two: %+v", got)
	}
	s.refused(exitConflict, "queue_full", "send", "jobs", "one more")
	s.refused(exitUsage, "empty", "send", "jobs")
	s.refused(exitUsage, "NAME=VALUE", "send", "jobs", "x", "--attribute", "novalue")
}

// receiveAndDelete prints messages, deletes them by handle, and lets a command fail.
func receiveAndDelete(s *shell) {
	s.t.Helper()
	s.ok("send", "jobs", "--attribute", "a=b", "first")
	s.ok("send", "jobs", "second")
	if got := s.ok("receive", "jobs", "--delete"); !strings.Contains(got, "\nattribute a=b\nfirst\n") || strings.Contains(got, "handle") {
		s.t.Errorf("received and deleted: %q", got)
	}
	var got struct{ Messages []client.Delivery }
	if err := json.Unmarshal([]byte(s.ok("receive", "jobs", "-o", "json")), &got); err != nil || len(got.Messages) != 1 || got.Messages[0].Body != "second" {
		s.t.Fatalf("received %+v, %v", got, err)
	}
	handle := got.Messages[0].ReceiptHandle
	s.refused(exitPartly, client.CodeMessageNotFound, "delete", "jobs", handle, "forged")
	s.refused(exitNotFound, client.CodeMessageNotFound, "delete", "jobs", handle)
	s.ok("send", "jobs", "fails")
	s.refused(exitFailed, "1 of 1 commands failed", "receive", "jobs", "--exec", "exit 3")
	s.ok("queue", "purge", "jobs", "--yes")
	if got := s.run("", "receive", "jobs"); got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, "no message") {
		s.t.Errorf("receive from an empty queue: %+v", got)
	}
}

// useAnAPIKey makes a user with a key, uses it, and deletes both.
func useAnAPIKey(s *shell) {
	s.t.Helper()
	password := s.file("ada", "battery staple correct horse\n")
	s.ok("auth", "create", "ada", "--password-file", password)
	s.ok("auth", "set-role", "ada", "admin")
	ada := []string{"--username", "ada", "--password-file", password}
	key := s.file("key", s.ok(append([]string{"auth", "api-key", "create", "ci", "--expires-in-days", "9"}, ada...)...))
	s.ok("queue", "list", "--api-key-file", key)
	s.refused(exitDenied, "forbidden", "auth", "api-key", "create", "more", "--api-key-file", key)
	var list struct {
		Keys []client.APIKey `json:"api_keys"`
	}
	if err := json.Unmarshal([]byte(s.ok("auth", "api-key", "list", "--of", "ada", "-o", "json")), &list); err != nil || len(list.Keys) != 1 || list.Keys[0].Name != "ci" {
		s.t.Fatalf("keys %+v, %v", list, err)
	}
	if users := s.ok("auth", "list"); !strings.Contains(users, "ada") || !strings.Contains(users, "admin") {
		s.t.Errorf("users %q", users)
	}
	s.ok("auth", "api-key", "delete", list.Keys[0].ID, "--of", "ada")
	s.refused(exitDenied, "unauthenticated", "queue", "list", "--api-key-file", key)
	changed := s.file("new", "staple horse battery correct\n")
	s.ok("auth", "change-password", "ada", "--password-file", password, "--new-password-file", changed)
	s.refused(exitDenied, "invalid_credentials", "auth", "delete", "ada", "--password-file", password)
	s.ok("auth", "delete", "ada", "--password-file", changed)
}

// A worker that is stopped lets its command finish and deletes the message.
func TestAStoppedWorkerDeletesWhatItFinished(t *testing.T) {
	c := startCluster(t, 1)
	n := c.nodes[0]
	c.createQueue("jobs", patience)
	if _, err := n.API().Send(t.Context(), "jobs", client.Message{Body: "go"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	env := []string{"XDG_CONFIG_HOME=" + dir, "FASTQUEUE_TOKEN=" + c.Token()}
	command := `echo began; while [ ! -e ` + gate + ` ]; do sleep 0.05; done; echo finished`
	worker := startProcess(t, "worker", c.Binary, env, []string{"receive", "jobs", "--follow", "--exec", command, "--url", n.URL()})
	worker.says("began")
	worker.signal(syscall.SIGTERM)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := worker.wait(); code != 0 || !strings.Contains(worker.Output(), "finished") {
		t.Errorf("the worker ended with %d: %s", code, worker.Output())
	}
	if q, err := n.API().Queue(t.Context(), "jobs"); err != nil || q.MessageCount != 0 {
		t.Errorf("queue %+v, %v: the finished message was not deleted", q, err)
	}
}
