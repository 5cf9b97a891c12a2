package logstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
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

// openBolt opens the log file. A new one gets its name when it is complete: bolt cannot open a file whose creation was
// cut short.
func openBolt(dir string) (backend, error) {
	path := filepath.Join(dir, boltFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := createBolt(path); err != nil {
			return nil, fmt.Errorf("create log file: %w", err)
		}
	} else if err != nil {
		return nil, err
	}
	if err := checkBolt(path, logsBucket, confBucket); err != nil {
		return nil, err
	}
	return newBolt(path)
}

func createBolt(path string) error {
	temp := path + ".tmp"
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	b, err := newBolt(temp)
	if err != nil {
		return err
	}
	if err := b.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func newBolt(path string) (*raftboltdb.BoltStore, error) {
	return raftboltdb.New(raftboltdb.Options{
		Path: path,
		BoltOptions: &bbolt.Options{
			Timeout:        boltLockWait,
			NoFreelistSync: true, // else every commit writes the free list, which grows with the largest log ever held
			FreelistType:   bbolt.FreelistMapType,
		},
		MsgpackUseNewTimeFormat: true,
	})
}

func openWAL(dir string, o Options) (backend, error) {
	if err := mendTail(dir); err != nil {
		return nil, err
	}
	size := o.SegmentBytes
	if size == 0 {
		size = wal.DefaultSegmentSize
	}
	files := segment.NewFiler(dir, newSegmentFiles(fs.New(), zeroedAhead))
	return wal.Open(dir, wal.WithLogger(o.Logger), wal.WithSegmentSize(size), wal.WithSegmentFiler(files))
}
