package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// damageable is the data directory of a node of one member that has stopped. Copies of it are damaged.
func damageable(t *testing.T, logStore string) string {
	t.Helper()
	c := newTestCluster(t, logStore, 1, nil)
	c.createQueue(0, "q")
	for i := range 200 {
		c.send(0, "q", fmt.Sprintf("<%d>%s", i, strings.Repeat("x", 200)))
	}
	c.stop(0)
	return c.nodes[0].dir
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// startOn starts a node on a directory, in a process of its own, which ends when the node does or when it has read
// everything. It returns the exit code, 0 if the node serves, and what the node says.
func startOn(t *testing.T, dir, logStore string) (code int, says string) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestStartOnChild$")
	c.Env = append(os.Environ(), childDirectory+"="+dir, childLogStore+"="+logStore)
	out, err := c.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

const (
	childDirectory = "FASTQUEUE_TEST_DIRECTORY"
	childLogStore  = "FASTQUEUE_TEST_LOG_STORE"
)

// TestStartOnChild is the process of startOn.
func TestStartOnChild(t *testing.T) {
	dir := os.Getenv(childDirectory)
	if dir == "" {
		return
	}
	end := func(code int, says string) {
		fmt.Print(says)
		os.Exit(code)
	}
	n := New(Config{
		DataDir: dir, NodeName: "n0", LogStore: os.Getenv(childLogStore), ClusterAddr: "127.0.0.1:0", AdvertiseCluster: "n0.test:9081",
		Exit: end, Restart: func(reason string) { end(1, reason) },
	})
	_, err := n.Open()
	if err == nil {
		err = n.Start()
	}
	if _, storage := errors.AsType[*StorageError](err); storage {
		end(ExitStorage, err.Error())
	}
	if err != nil {
		end(1, err.Error())
	}
	v := n.FSM().View()
	v.Users("", 1_000)
	v.Queues("", 1_000)
	for queue := range uint64(20) { // one of them is q
		for sequence := range uint64(1_000) {
			v.Message(queue, sequence)
		}
	}
	end(0, "served")
}

func TestADamagedFileStopsTheNodeWithInstructions(t *testing.T) {
	t.Parallel()
	invert := func(b []byte) []byte {
		for i := range b {
			b[i] ^= 0x55
		}
		return b
	}
	middle := func(b []byte) []byte {
		clear(b[len(b)/4 : len(b)*3/4])
		return b
	}
	sound := map[string]string{"bolt": damageable(t, "bolt"), "wal": damageable(t, "wal")}
	if err := os.WriteFile(filepath.Join(sound["bolt"], membersFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, says := startOn(t, copyOf(t, sound["bolt"]), "bolt"); code != 0 || says != "served" {
		t.Fatalf("a sound directory: code %d, %q", code, says)
	}
	half := func(b []byte) []byte { return b[:len(b)/2] }
	for name, test := range map[string]struct {
		logStore, file string
		damage         func(b []byte) []byte // nil: the file is deleted
		code           int
		want           string
	}{
		"node.json":                 {"bolt", "node.json", half, 1, "node.json is damaged"},
		"members.json":              {"bolt", "members.json", func([]byte) []byte { return []byte("{") }, 1, "members.json is damaged"},
		"key":                       {"bolt", "tls/node.key", nil, 1, "join again"},
		"bolt: the tree":            {"bolt", "log/raft.db", middle, ExitStorage, "log"},
		"bolt: everything":          {"bolt", "log/raft.db", invert, ExitStorage, "log"},
		"wal: the segment":          {"wal", "log/*.wal", func(b []byte) []byte { clear(b[4096:8192]); return b }, ExitStorage, ".wal"},
		"wal: the list":             {"wal", "log/wal-meta.db", invert, ExitStorage, "log"},
		"Pebble: a table's end":     {"bolt", "state/g-*/*.sst", func(b []byte) []byte { clear(b[len(b)-50:]); return b }, ExitStorage, ".sst"},
		"Pebble: a table's middle":  {"bolt", "state/g-*/*.sst", middle, ExitStorage, ".sst"},
		"Pebble: a table is short":  {"bolt", "state/g-*/*.sst", half, ExitStorage, ".sst"},
		"Pebble: a table is gone":   {"bolt", "state/g-*/*.sst", nil, ExitStorage, "state"},
		"Pebble: the manifest":      {"bolt", "state/g-*/MANIFEST-*", invert, ExitStorage, "MANIFEST"},
		"Pebble: no manifest":       {"bolt", "state/g-*/MANIFEST-*", nil, ExitStorage, "MANIFEST"},
		"Pebble: the options":       {"bolt", "state/g-*/OPTIONS-*", invert, ExitStorage, "state"},
		"Pebble: the engine's mark": {"bolt", "state/g-*/marker.manifest*", nil, ExitStorage, "state"},
		"the whole log, of two":     {"bolt", "log", nil, ExitStorage, "the log and the state do not fit"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, sound[test.logStore])
			paths, err := filepath.Glob(filepath.Join(dir, test.file))
			if err != nil || len(paths) == 0 {
				t.Fatalf("%s: %v, %v", test.file, paths, err)
			}
			damageFile(t, slices.MaxFunc(paths, bySize), test.damage)
			before := tree(t, dir)
			code, says := startOn(t, dir, test.logStore)
			if code != test.code || !strings.Contains(says, test.want) || !strings.Contains(says, dir) {
				t.Errorf("it ends with code %d and says %q", code, says)
			}
			if code == ExitStorage && (!strings.Contains(says, "fastqueue join") || !strings.Contains(says, "mv "+dir)) {
				t.Errorf("it does not say what to do: %q", says)
			}
			nothingRemoved(t, before, !strings.HasPrefix(test.file, "state/"))
		})
	}
}

// nothingRemoved checks that files are still there, but for those that Pebble replaces whenever it opens. If it did open, it
// may also have merged tables.
func nothingRemoved(t *testing.T, paths []string, opened bool) {
	t.Helper()
	for _, path := range paths {
		if strings.Contains(path, "/state/") && (opened || filepath.Ext(path) != ".sst") {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the node has removed something: %v", err)
		}
	}
}

func bySize(a, b string) int {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	if errors.Join(err1, err2) != nil {
		return 0
	}
	return int(x.Size() - y.Size())
}

func damageFile(t *testing.T, path string, damage func([]byte) []byte) {
	t.Helper()
	if damage == nil { // it goes, with all that is in it
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, damage(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tree lists all files below a directory.
func tree(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// A directory that is sound, but not for this command line or this version, is refused in words and left alone.
func TestAnotherDirectoryIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	sound := damageable(t, "bolt")
	rewrite := func(old, replacement string) func(b []byte) []byte {
		return func(b []byte) []byte { return []byte(strings.Replace(string(b), old, replacement, 1)) }
	}
	for name, test := range map[string]struct {
		logStore string
		change   func(b []byte) []byte // of node.json; nil: it goes
		want     string
	}{
		"another format":            {"bolt", rewrite(`"format": 1`, `"format": 2`), "has format 2 and this version reads format 1"},
		"another log store":         {"wal", rewrite("", ""), "--log-store bolt"},
		"another log store's files": {"wal", rewrite(`"log_store": "bolt"`, `"log_store": "wal"`), "holds a log of the bolt backend"},
		"no node.json":              {"bolt", nil, "but no node.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, sound)
			damageFile(t, filepath.Join(dir, directoryFile), test.change)
			before := tree(t, dir)
			code, says := startOn(t, dir, test.logStore)
			if code != 1 || !strings.Contains(says, test.want) {
				t.Errorf("it ends with code %d and says %q", code, says)
			}
			nothingRemoved(t, before, false)
		})
	}
}

// Every file that a node writes itself ends it with the storage code when the disk fails.
func TestAFailedWriteIsTheDisks(t *testing.T) {
	full := func(what string) error {
		return fmt.Errorf("write %s: %w", what, &fs.PathError{Op: "write", Path: what, Err: syscall.ENOSPC})
	}
	if _, ok := errors.AsType[*StorageError](writeError("/data", full("node.json"))); !ok {
		t.Error("a full disk is no storage error")
	}
	for name, err := range map[string]error{
		"a right":        &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES},
		"something else": errors.New("the certificate is not of the cluster's CA"),
		"nothing":        nil,
	} {
		if got := writeError("/data", err); got != err {
			t.Errorf("%s has become %v", name, got)
		}
	}

	// A file that is in the way of the directory for keys: the writes below fail with ENOTDIR.
	dir := t.TempDir()
	var exits []int
	n := New(Config{DataDir: filepath.Join(dir, "file"), NodeName: "n", Exit: func(code int, _ string) { exits = append(exits, code) }})
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	storage := func(err error) bool {
		_, ok := errors.AsType[*StorageError](err)
		return ok
	}
	if _, err := n.Open(); !storage(err) {
		t.Errorf("creating the data directory: %v", err)
	}
	if _, err := n.publicKey(); !storage(err) {
		t.Errorf("making a key: %v", err)
	}
	if err := n.Found(Founding{JoinToken: strings.Repeat("x", 40)}); !storage(err) {
		t.Errorf("founding: %v", err)
	}
	if err := writeError(dir, newDirectory("n", "bolt").write(n.config.DataDir)); !storage(err) {
		t.Errorf("writing node.json: %v", err)
	}
	n.heard(&fsmpb.Member{Id: "m-1", Name: "m"})
	if !slices.Equal(exits, []int{ExitStorage}) {
		t.Errorf("writing members.json ends the process with %v", exits)
	}
}
