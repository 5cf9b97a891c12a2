package damage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/fastqueue/fastqueue/cluster/logstore"
)

// newest is from how many of the last entries one is chosen: a node that was killed applies them again, or sends them.
const newest = 30

// Entry flips a bit of one of the newest entries of the log in a data directory, wherever in its files that entry stands.
func Entry(dir string, rng *rand.Rand) (Done, error) {
	entry, err := newEntry(filepath.Join(dir, string(Log)), rng)
	if err != nil {
		return Done{}, err
	}
	files, err := filesOf(dir, Log)
	if err != nil {
		return Done{}, err
	}
	at, bit := rng.IntN(len(entry.Data)), byte(1)<<rng.IntN(8)
	for _, file := range files {
		path := filepath.Join(dir, file)
		b, err := os.ReadFile(path)
		if err != nil {
			return Done{}, err
		}
		places := 0
		for from := 0; ; places++ {
			i := bytes.Index(b[from:], entry.Data)
			if i < 0 {
				break
			}
			b[from+i+at] ^= bit
			from += i + len(entry.Data)
		}
		if places > 0 {
			how := fmt.Sprintf("a bit flipped at byte %d of %d of entry %d, in %d places", at, len(entry.Data), entry.Index, places)
			return Done{file, how}, os.WriteFile(path, b, 0o600)
		}
	}
	return Done{}, fmt.Errorf("entry %d stands in no file of %s", entry.Index, dir)
}

// newEntry chooses one of the newest commands in a log.
func newEntry(dir string, rng *rand.Rand) (entry *raft.Log, err error) {
	kind := logstore.WAL
	if _, err := os.Stat(filepath.Join(dir, "raft.db")); err == nil {
		kind = logstore.Bolt
	}
	s, err := logstore.Open(dir, kind, logstore.Options{
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard}),
		Fatal:  func(e error) { err = errors.Join(err, e) },
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	last, err := s.LastIndex()
	if err != nil {
		return nil, err
	}
	first, err := s.FirstIndex()
	if err != nil {
		return nil, err
	}
	for i := last - min(last-first, uint64(rng.IntN(newest))); i >= first; i-- {
		entry = &raft.Log{}
		if err := s.GetLog(i, entry); err != nil {
			return nil, err
		}
		if entry.Type == raft.LogCommand && len(entry.Data) > 0 {
			return entry, nil
		}
	}
	return nil, fmt.Errorf("%s has no command", dir)
}
