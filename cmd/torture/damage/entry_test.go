package damage

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
)

// raft-wal finds the damage when the log is opened, and in bolt each entry has its own checksum.
func TestEntryDamagesOneOfTheNewest(t *testing.T) {
	for _, kind := range []logstore.Kind{logstore.Bolt, logstore.WAL} {
		dir := t.TempDir()
		open := func() (logstore.Store, error) {
			return logstore.Open(filepath.Join(dir, "log"), kind, logstore.Options{Logger: hclog.NewNullLogger(), Fatal: func(error) {}})
		}
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		for i := uint64(1); i <= 100; i++ {
			if err := s.StoreLogs([]*raft.Log{{Index: i, Term: 1, Type: raft.LogCommand, Data: []byte{byte(i), 'd', 'a', 't', 'a'}}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		done, err := Entry(dir, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if s, err = open(); kind == logstore.WAL {
			if !errors.Is(err, logstore.ErrDamaged) {
				t.Errorf("%s; opened with %v", done, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var damaged []uint64
		for i := uint64(1); i <= 100; i++ {
			if err := s.GetLog(i, &raft.Log{}); errors.Is(err, logstore.ErrDamaged) {
				damaged = append(damaged, i)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if len(damaged) != 1 || damaged[0] <= 100-newest {
			t.Errorf("%s; entries %v are damaged", done, damaged)
		}
	}
}
