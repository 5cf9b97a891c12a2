package trial

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/fault"
)

func TestReplicasThatDiffer(t *testing.T) {
	view := func(node string, hashes ...client.StateHash) client.Cluster {
		return client.Cluster{Node: node, StateHashes: hashes}
	}
	a := view("a", client.StateHash{Index: 1000, Hash: "x"}, client.StateHash{Index: 1500, Hash: "y"})
	b := view("b", client.StateHash{Index: 1500, Hash: "y"})
	if found := differences([]client.Cluster{a, b}); len(found) != 0 || !sameEnd([]client.Cluster{a, b}) {
		t.Errorf("equal states differ: %q", found)
	}
	c := view("c", client.StateHash{Index: 1000, Hash: "z"}, client.StateHash{Index: 1600, Hash: "y"})
	if found := differences([]client.Cluster{a, b, c}); len(found) != 1 || sameEnd([]client.Cluster{a, c}) {
		t.Errorf("differences %q, want the one at 1000", found)
	}
	if sameEnd([]client.Cluster{a, view("d")}) {
		t.Error("a node without a hash stands nowhere")
	}
}

func TestLeaks(t *testing.T) {
	before := usage{goroutines: 50, files: 30, memory: 100 << 20}
	if found := (usage{goroutines: 100, files: 100, memory: 300 << 20}).leaks(before); found != "" {
		t.Errorf("what fills up counts as a leak: %s", found)
	}
	for _, u := range []usage{{goroutines: 1_000}, {files: 1_000}, {memory: 1 << 30}} {
		if u.leaks(before) == "" {
			t.Errorf("%+v is no leak", u)
		}
	}
}

func TestSecretsInALog(t *testing.T) {
	secrets := []string{"", "swordfish", "rosebud"}
	if found := secretIn([]byte("nothing here"), secrets); found != "" {
		t.Errorf("found %q", found)
	}
	if found := secretIn([]byte("request with rosebud in it"), secrets); !strings.Contains(found, "rosebud") {
		t.Errorf("found %q", found)
	}
}

func TestTheScheduleFollowsFromTheSeed(t *testing.T) {
	names := []string{"kill-leader", "kill-follower", "kill-all", "transfers"}
	schedule := func(seed uint64) (order []string) {
		faults, err := fault.Named(names)
		if err != nil {
			t.Fatal(err)
		}
		p := Plan{Faults: faults, Strikes: 10}
		for _, f := range p.schedule(rand.New(rand.NewPCG(seed, 0))) {
			order = append(order, f.Name())
		}
		return order
	}
	one := schedule(1)
	if !slices.Equal(one, schedule(1)) || slices.Equal(one, schedule(2)) {
		t.Errorf("the order of seed 1 is %v, then %v, of seed 2 %v", one, schedule(1), schedule(2))
	}
	for _, name := range names {
		if !slices.Contains(one[:len(names)], name) {
			t.Errorf("%s does not strike in the first %d of %v", name, len(names), one)
		}
	}
}

func TestARoundThatProvesNothingDoesNotPass(t *testing.T) {
	r := &Result{}
	if r.Err() != nil {
		t.Error(r.Err())
	}
	r.weak("nobody sent")
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "not enough evidence") {
		t.Errorf("a weak round: %v", err)
	}
	r.violation("lost")
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "1 broken") {
		t.Errorf("a broken promise: %v", err)
	}
}
