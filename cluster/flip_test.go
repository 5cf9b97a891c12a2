package cluster

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/cluster/transport"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// who is what a data directory says of its node, log and state aside.
type who struct {
	directory directory
	identity  transport.Identity
	members   []string // ids; where they are is only a hint, and each says it again
}

// readWho reads a data directory as a start does.
func readWho(dir, logStore string) (w who, err error) {
	n := New(Config{DataDir: dir, NodeName: "n0", LogStore: logStore})
	member := false
	if w.directory, member, err = readDirectory(dir); err != nil {
		return w, err
	}
	if !member {
		return w, refuseRemains(dir)
	}
	if w.directory.LogStore != logStore {
		return w, errors.New("another log store")
	}
	if err := n.loadAddresses(); err != nil {
		return w, err
	}
	n.directory = w.directory
	w.members = slices.Sorted(maps.Keys(n.addresses))
	w.identity, err = n.loadIdentity()
	return w, err
}

// Every bit of the small files of a data directory is flipped: the node is the one that it was, or it does not start and
// says what to do.
func TestAFlippedBitDoesNotChangeWhoANodeIs(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, "bolt", 1, nil)
	n := c.nodes[0]
	n.heard(&fsmpb.Member{Id: "n1-0123456789", Name: "n1", ClusterAddress: address(1), HttpAddress: "n1.test:9080"})
	c.stop(0)
	want, err := readWho(n.dir, "bolt")
	if err != nil || len(want.members) == 0 {
		t.Fatalf("the directory as it was: %+v, %v", want, err)
	}
	rng := rand.New(rand.NewPCG(23, 24))
	for _, name := range []string{directoryFile, membersFile, "tls/node.key", "tls/node.crt", "tls/ca.crt", "tls/cluster-id"} {
		path := filepath.Join(n.dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		unharmed, refused := 0, 0
		for at := range content {
			bit := byte(1) << rng.IntN(8)
			content[at] ^= bit
			err := os.WriteFile(path, content, info.Mode())
			content[at] ^= bit
			if err != nil {
				t.Fatal(err)
			}
			got, err := readWho(n.dir, "bolt")
			switch {
			case err == nil && reflect.DeepEqual(got, want):
				unharmed++
			case err == nil:
				t.Errorf("%s, byte %d: the node is %+v and was %+v", name, at, got.directory, want.directory)
			case errors.Is(err, fs.ErrNotExist) || !instructs(err):
				t.Errorf("%s, byte %d: %v", name, at, err)
			default:
				refused++
			}
		}
		t.Logf("%s: %d times unharmed, %d times refused", name, unharmed, refused)
		if err := os.WriteFile(path, content, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

// instructs tells whether an error says what to do.
func instructs(err error) bool {
	return slices.ContainsFunc([]string{"join again", "delete it if the other members run", "run the version that wrote it", "another log store"},
		func(s string) bool { return strings.Contains(err.Error(), s) })
}
