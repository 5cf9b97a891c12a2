package logstore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

// short makes a log of a few entries, closes it, and returns its files after each append.
func short(t *testing.T, kind Kind, batches ...int) (files []map[string][]byte, models []logModel) {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, kind, Options{SegmentBytes: crashSegment, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	m := logModel{stable: map[string]uint64{"CurrentTerm": 3, "LastVoteTerm": 2}}
	for key, value := range m.stable {
		if err := s.SetUint64([]byte(key), value); err != nil {
			t.Fatal(err)
		}
	}
	for _, count := range batches {
		var logs []*raft.Log
		for range count {
			index := m.last() + 1
			l := raft.Log{Index: index, Term: 3, Data: []byte(crashEntry(index, 3))}
			m.entries, logs = append(m.entries, l), append(logs, &l)
		}
		if err := s.StoreLogs(logs); err != nil {
			t.Fatal(err)
		}
		files, models = append(files, readFiles(t, dir)), append(models, m)
	}
	return files, models
}

// readFiles returns the content of a directory but for its lock.
func readFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == lockFile {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// with returns files with another content of one of them.
func with(files map[string][]byte, name string, content []byte) map[string][]byte {
	changed := map[string][]byte{name: content}
	for other, b := range files {
		if other != name {
			changed[other] = b
		}
	}
	return changed
}

// The end of a wal is torn at every byte of its last writes: nothing follows, or zeros, or rubbish. What was written
// before stays, and the log goes on. The second log ends with the batch that fills its segment, whose end is an index.
func TestATornWALKeepsWhatIsBeforeTheTear(t *testing.T) {
	t.Parallel()
	const name = "00000000000000000001-0000000000000000.wal"
	for _, counts := range [][]int{{3, 2, 1, 2}, {5, 3, 4}} {
		files, models := short(t, WAL, counts...)
		last := len(files) - 1
		first := last - len(counts)/4 // the last two, or of the second log the last, which is long
		c := &crashes{t: t, kind: WAL, rng: rand.New(rand.NewPCG(13, 14))}
		whole := files[last][name]
		end := len(bytes.TrimRight(whole, "\x00"))
		rubbish := make([]byte, len(whole))
		for i := range rubbish {
			rubbish[i] = byte(c.rng.Uint32())
		}
		for batch := first; batch <= last; batch++ {
			from := len(bytes.TrimRight(files[batch-1][name], "\x00")) // the end of the commit frame may be zero
			to := len(bytes.TrimRight(files[batch][name], "\x00"))
			for at := from + 1; at < to; at++ {
				c.allowed = []string{models[batch-1].String()}
				c.check(fmt.Sprintf("%v ends at byte %d of %d", counts, at, end), with(files[batch-1], name, whole[:at]))
				c.check(fmt.Sprintf("%v has zeros from byte %d of %d", counts, at, end),
					with(files[batch-1], name, append(bytes.Clone(whole[:at]), make([]byte, len(whole)-at)...)))
				c.check(fmt.Sprintf("%v has rubbish from byte %d of %d", counts, at, end),
					with(files[batch-1], name, append(bytes.Clone(whole[:at]), rubbish[at:end]...)))
			}
		}
		t.Logf("%d images", c.images)
	}
}

// bolt's last transaction is torn at every byte that says where the tree is, and at many of those before: the log is as it
// was before it, or after.
func TestATornBoltTransactionIsOldOrNew(t *testing.T) {
	t.Parallel()
	files, models := short(t, Bolt, 3, 20, 2)
	before, after := files[1][boltFile], files[2][boltFile]
	c := &crashes{t: t, kind: Bolt, rng: rand.New(rand.NewPCG(15, 16)), allowed: []string{models[1].String(), models[2].String()}}
	for name, image := range torn(c.rng, before, after, 100) {
		c.check(name, map[string][]byte{boltFile: image})
	}
	t.Logf("%d images", c.images)
}
