package logstore

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

// A bolt transaction writes pages that the last one does not use, syncs, writes one of the two first pages, which says
// where the tree is, and syncs again. torn returns files that a loss of power may leave in the middle of one, most of them
// with some of the sectors of the first part, or with all of those and some bytes of the second. The more, the more of
// each.
func torn(rng *rand.Rand, before, after []byte, more int) map[string][]byte {
	const sector = 512
	first := 2 * os.Getpagesize()
	grown := append(bytes.Clone(before), make([]byte, max(0, len(after)-len(before)))...)
	var pages, meta []int // where something has changed: sectors, and bytes
	for at := first; at < len(after); at += sector {
		if !bytes.Equal(grown[at:at+sector], after[at:at+sector]) {
			pages = append(pages, at)
		}
	}
	for at := range first {
		if grown[at] != after[at] {
			meta = append(meta, at)
		}
	}
	images := map[string][]byte{"only longer": grown}
	some := func(sectors []int) []byte {
		b := bytes.Clone(grown)
		for _, at := range sectors {
			copy(b[at:], after[at:at+sector])
		}
		return b
	}
	for i := range more {
		n := len(pages) * (i + 1) / more
		images[fmt.Sprintf("%d of %d sectors", n, len(pages))] = some(pages[:n])
		subset := slices.DeleteFunc(slices.Clone(pages), func(int) bool { return rng.IntN(2) == 0 })
		images[fmt.Sprintf("sectors %d", subset)] = some(subset)
	}
	for i := range min(more, len(meta)) {
		n := len(meta) * (i + 1) / min(more, len(meta))
		b := some(pages)
		for _, at := range meta[:n] {
			b[at] = after[at]
		}
		images[fmt.Sprintf("all sectors and %d of %d bytes behind them", n, len(meta))] = b
	}
	return images
}

// steps is a backend whose calls that write are one bolt transaction each, looked at from all sides.
type steps struct {
	backend
	*crashes
	path string
}

func (s *steps) StoreLogs(logs []*raft.Log) error {
	return s.transaction("append", func() error { return s.backend.StoreLogs(logs) })
}

func (s *steps) DeleteRange(from, to uint64) error {
	return s.transaction("delete", func() error { return s.backend.DeleteRange(from, to) })
}

func (s *steps) Set(key, value []byte) error {
	return s.transaction("set", func() error { return s.backend.Set(key, value) })
}

func (s *steps) SetUint64(key []byte, value uint64) error {
	return s.transaction("set", func() error { return s.backend.SetUint64(key, value) })
}

func (s *steps) transaction(what string, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	for name, image := range torn(s.rng, before, after, 8) {
		s.check(what+", "+name, map[string][]byte{boltFile: image})
	}
	return nil
}

// Loses unsynced bytes of bolt in every transaction of its life. What bolt syncs, and when, is its own business: the test
// takes its word for that.
func TestBoltLosesNothingInACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &crashes{t: t, kind: Bolt, rng: rand.New(rand.NewPCG(11, 12)), allowed: []string{""}}
	b, err := openBolt(dir)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Options{Fatal: func(err error) { t.Error(err) }}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	stepped := &steps{backend: b, crashes: c, path: filepath.Join(dir, boltFile)}
	r := &script{crashes: c, s: newGuard(stepped, io.NopCloser(nil), entrySlices(3), o), m: logModel{stable: map[string]uint64{}}}
	r.play()
	closeStore(t, r.s)
	t.Logf("%d images", c.images)
	if c.images < 300 {
		t.Errorf("%d images are too few: the test has lost its point", c.images)
	}
}
