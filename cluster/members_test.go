package cluster

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/clusterpb"
	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

func TestMembersThatCouldNotReachEachOtherAreRefused(t *testing.T) {
	remote := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 50_000} }
	for _, test := range []struct {
		member, joiner string
		from           net.Addr
		want           string
	}{
		{"127.0.0.1:9081", "127.0.0.1:9181", remote("127.0.0.1"), ""},
		{"localhost:9081", "10.0.0.2:9081", remote("10.0.0.2"), "--advertise-cluster"},
		{"127.0.0.1:9081", "10.0.0.2:9081", remote("10.0.0.2"), "--advertise-cluster"},
		{"[::1]:9081", "10.0.0.2:9081", remote("10.0.0.2"), "--advertise-cluster"},
		{"10.0.0.1:9081", "127.0.0.1:9081", remote("10.0.0.2"), "--advertise-cluster"},
		{"n1.example.com:9081", "n2.example.com:9081", remote("10.0.0.2"), ""},
	} {
		n := New(Config{AdvertiseCluster: test.member})
		got := n.loopbackMismatch(test.from, &fsmpb.Member{ClusterAddress: test.joiner})
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s joins %s from %s: %q", test.joiner, test.member, test.from, got)
		}
	}
}

// An earlier incarnation is removed only if it is down and a majority of the remaining voters is up.
func TestAnIncarnationIsReplacedOnlyWithALiveMajority(t *testing.T) {
	for _, test := range []struct {
		name     string
		up       []string
		draining bool
		want     bool
	}{
		{"all others up", []string{"b-1"}, false, true},
		{"the old one is up", []string{"b-1", "c-1"}, false, false},
		{"no other voter up", nil, false, false},
		{"the other voter is about to stop", []string{"b-1"}, true, false},
	} {
		n := New(Config{})
		for _, id := range test.up {
			n.statuses[id] = memberStatus{StatusResult: &clusterpb.StatusResult{Draining: test.draining}, at: time.Now()}
		}
		servers := []raft.Server{{ID: "a-1"}, {ID: "b-1"}, {ID: "c-1"}, {ID: "c-2", Suffrage: raft.Nonvoter}}
		l := &leadership{r: &replica{id: "a-1"}}
		if got := n.mayRemove(l, "c-1", servers); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		if n.mayRemove(l, "a-1", servers) {
			t.Errorf("%s: the leader may remove itself", test.name)
		}
	}
}

func TestADivergedReplicaEndsItself(t *testing.T) {
	own := fsm.Hash{Index: 1_000, Hash: 7}
	for _, test := range []struct {
		name   string
		others []uint64
		want   bool
	}{
		{"all agree", []uint64{7, 7}, false},
		{"one differs, one agrees", []uint64{7, 8}, false},
		{"one differs, one has not got there", []uint64{8}, false},
		{"two agree on another state", []uint64{8, 8}, true},
		{"nobody agrees with anybody", []uint64{8, 9}, false},
	} {
		exited := 0
		n := New(Config{Exit: func(code int, _ string) {
			if code == ExitDiverged {
				exited++
			}
		}})
		for i, h := range test.others {
			s := &clusterpb.StatusResult{Hashes: []*clusterpb.ReplicaHash{{Index: 1_000, Hash: h}, {Index: 2_000, Hash: 1}}}
			n.statuses[string(rune('a'+i))] = memberStatus{StatusResult: s, at: time.Now()}
		}
		n.compareHash(own)
		if (exited > 0) != test.want {
			t.Errorf("%s: ended %d times", test.name, exited)
		}
	}
}

func TestNamesAndIncarnations(t *testing.T) {
	d := newDirectory("my-node", "bolt")
	if again := newDirectory("my-node", "bolt"); again.ID == d.ID {
		t.Error("two directories have the same incarnation")
	}
	if got := nameOf(d.ID); got != "my-node" {
		t.Errorf("the name in %s is %q", d.ID, got)
	}
	if got := nameOf("nameless"); got != "" {
		t.Errorf("an id without incarnation has the name %q", got)
	}
}
