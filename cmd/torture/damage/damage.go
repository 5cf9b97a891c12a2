package damage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Area is a part of a data directory.
type Area string

// The areas.
const (
	Log      Area = "log"      // raft's log, votes and terms
	State    Area = "state"    // the state machine
	Metadata Area = "metadata" // who the node is, where the others are, keys and certificates
)

// Areas are all of them.
func Areas() []Area { return []Area{Log, State, Metadata} }

const block = 4096

// kind damages a file's content. The content is never empty; at is a byte that is not zero: files are allocated ahead.
type kind struct {
	name   string
	damage func(b []byte, at int, rng *rand.Rand) []byte
}

func kinds() []kind {
	return []kind{
		{"a bit flipped at", func(b []byte, at int, rng *rand.Rand) []byte {
			b[at] ^= 1 << rng.IntN(8)
			return b
		}},
		{"4 KiB zeroed around", func(b []byte, at int, _ *rand.Rand) []byte {
			from := at &^ (block - 1)
			clear(b[from:min(len(b), from+block)])
			return b
		}},
		{"cut off at", func(b []byte, at int, _ *rand.Rand) []byte { return b[:at] }},
		{"garbage from", func(b []byte, at int, rng *rand.Rand) []byte {
			for i := at; i < min(len(b), at+block); i++ {
				b[i] = byte(rng.Uint32())
			}
			return b
		}},
		{"garbage at the end of it and", func(b []byte, _ int, rng *rand.Rand) []byte {
			for range 1 + rng.IntN(2*block) {
				b = append(b, byte(rng.Uint32()))
			}
			return b
		}},
	}
}

// Done is what was damaged.
type Done struct {
	File string // relative to the data directory
	How  string
}

func (d Done) String() string { return d.File + ": " + d.How }

// Random damages one file in an area of a data directory.
func Random(dir string, area Area, rng *rand.Rand) (Done, error) {
	files, err := filesOf(dir, area)
	if err != nil {
		return Done{}, err
	}
	if len(files) == 0 {
		return Done{}, errors.New("there is no file to damage in the " + string(area) + " of " + dir)
	}
	file := files[rng.IntN(len(files))]
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	if err != nil {
		return Done{}, err
	}
	at := rng.IntN(max(1, len(bytes.TrimRight(b, "\x00"))))
	k := kinds()[rng.IntN(len(kinds()))]
	done := Done{file, fmt.Sprintf("%s byte %d of %d", k.name, at, len(b))}
	return done, os.WriteFile(path, k.damage(b, at, rng), 0o600)
}

// filesOf are the files of an area that hold something, in order. Locks hold nothing.
func filesOf(dir string, area Area) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err == nil && info.Size() > 0 && areaOf(relative) == area {
			files = append(files, relative)
		}
		return err
	})
	return files, err
}

func areaOf(file string) Area {
	switch first, _, _ := strings.Cut(filepath.ToSlash(file), "/"); first {
	case "log":
		return Log
	case "state":
		return State
	}
	return Metadata
}
