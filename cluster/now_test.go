package cluster

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm"
	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// TestNowIsNeverBehindTheState: what has expired for the state has expired for a node with a slow clock too.
func TestNowIsNeverBehindTheState(t *testing.T) {
	f, err := fsm.Open("state", fsm.Options{FS: vfs.NewMem(), Fatal: func(err error) { t.Fatal(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	state := time.UnixMilli(1_800_000_000_000)
	tick, err := proto.Marshal(&fsmpb.Entry{NowMs: state.UnixMilli()})
	if err != nil {
		t.Fatal(err)
	}
	f.Apply(&raft.Log{Index: 1, Term: 1, Type: raft.LogCommand, Data: tick})
	var wall time.Time
	n := New(Config{Wall: func() time.Time { return wall }})
	for _, test := range []struct {
		member bool
		wall   time.Duration // ahead of the state
		want   time.Duration
	}{
		{false, -time.Hour, -time.Hour},
		{true, -time.Hour, 0},
		{true, 0, 0},
		{true, time.Minute, time.Minute},
	} {
		if test.member {
			n.replica.Store(&replica{fsm: f})
		}
		wall = state.Add(test.wall)
		if got := n.Now().Sub(state); got != test.want {
			t.Errorf("member %v, wall clock %s ahead of the state: now is %s ahead, want %s", test.member, test.wall, got, test.want)
		}
	}
}
