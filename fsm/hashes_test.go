package fsm

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
)

// TestHashesDoNotDependOnBatches applies the same entries in batches of several lengths, and to a replica that starts
// again in between.
func TestHashesDoNotDependOnBatches(t *testing.T) {
	const entries = 2_345
	tick := encode(&fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}})
	var logs []*raft.Log
	for i := uint64(1); i <= entries; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: encode(&fsmpb.Entry{NowMs: int64(i), Commands: [][]byte{tick}})})
	}
	one := openTestFSM(t, vfs.NewMem(), 512)
	for batch := range slices.Chunk(logs, 1) {
		one.ApplyBatch(batch)
	}
	for _, length := range []int{7, 64, entries} {
		many := openTestFSM(t, vfs.NewMem(), 512)
		for batch := range slices.Chunk(logs, length) {
			many.ApplyBatch(batch)
		}
		if got, want := many.Hashes(), one.Hashes(); !slices.Equal(got, want) || len(got) != 2 || got[1].Index != 2_000 {
			t.Errorf("batches of %d: hashes %v, one by one %v", length, got, want)
		}
		if got, want := many.NewestHash(), one.NewestHash(); got != want || got.Index != entries+1 || got.Hash == 0 {
			t.Errorf("batches of %d: stands at %v, one by one at %v", length, got, want)
		}
	}

	fs := vfs.NewMem()
	again := openTestFSM(t, fs, 512)
	again.ApplyBatch(logs[:1_500])
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	again = openTestFSM(t, fs, 512)
	if stands := again.NewestHash(); stands.Index != 1_501 || stands.Hash == one.NewestHash().Hash {
		t.Errorf("started again it stands at %v", stands)
	}
	again.ApplyBatch(logs[1_500:])
	if got, want := again.Hashes(), one.Hashes()[1:]; !slices.Equal(got, want) {
		t.Errorf("started again: hashes %v, want %v", got, want)
	}
	if got, want := again.NewestHash(), one.NewestHash(); got != want {
		t.Errorf("started again: stands at %v, want %v", got, want)
	}
}
