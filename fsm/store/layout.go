package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	lockName         = "LOCK"
	temporaryPrefix  = "tmp-"
	generationPrefix = "g-"
)

// contents is what the store understands of its directory.
type contents struct {
	temporary   []string
	generations []uint64 // ascending
}

// listLayout reads the directory. Names that are not the store's are left alone.
func listLayout(fs vfs.FS, dir string) (contents, error) {
	names, err := fs.List(dir)
	if err != nil {
		return contents{}, wrap("list state directory", err)
	}
	var c contents
	for _, name := range names {
		if strings.HasPrefix(name, temporaryPrefix) {
			c.temporary = append(c.temporary, name)
		} else if n, ok := parseGeneration(name); ok {
			c.generations = append(c.generations, n)
		}
	}
	slices.Sort(c.generations)
	return c, nil
}

func generationName(n uint64) string { return fmt.Sprintf("%s%08d", generationPrefix, n) }

func parseGeneration(name string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, generationPrefix), 10, 64)
	return n, err == nil && generationName(n) == name
}

func (s *Store) path(name string) string { return s.o.FS.PathJoin(s.dir, name) }

// tempDir returns a new name for unfinished work.
func (s *Store) tempDir(purpose string) string {
	return s.path(fmt.Sprintf("%s%s-%d", temporaryPrefix, purpose, s.nextTemp.Add(1)))
}

// syncDir makes the names in dir durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		_ = d.Close() // the failed sync is the error that matters
		return err
	}
	return d.Close()
}
