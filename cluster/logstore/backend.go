package logstore

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"go.etcd.io/bbolt"
)

const (
	boltFile    = "raft.db"
	walMetaFile = "wal-meta.db"
	walSuffix   = ".wal"

	// boltLockWait is how long bolt waits for its own file lock. The directory's lock has been taken before, so that
	// nobody should hold it.
	boltLockWait = time.Second
)

// detect returns the backend whose files dir holds, or "".
func detect(dir string) (Kind, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == boltFile:
			return Bolt, nil
		case name == walMetaFile, strings.HasSuffix(name, walSuffix):
			return WAL, nil
		}
	}
	return "", nil
}

func openBolt(dir string) (backend, error) {
	return raftboltdb.New(raftboltdb.Options{
		Path: filepath.Join(dir, boltFile),
		BoltOptions: &bbolt.Options{
			Timeout:        boltLockWait,
			NoFreelistSync: true, // else every commit writes the free list, which grows with the largest log ever held
			FreelistType:   bbolt.FreelistMapType,
		},
		MsgpackUseNewTimeFormat: true,
	})
}

func openWAL(dir string, o Options) (backend, error) {
	if o.SegmentBytes == 0 {
		return wal.Open(dir, wal.WithLogger(o.Logger))
	}
	return wal.Open(dir, wal.WithLogger(o.Logger), wal.WithSegmentSize(o.SegmentBytes))
}
