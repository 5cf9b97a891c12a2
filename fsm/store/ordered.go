package store

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// markerPrefix begins the names of the empty files by which Pebble says which of its files count.
const markerPrefix = "marker."

// orderedFS makes the names in a directory durable before and after Pebble moves a marker. Pebble makes the new marker,
// removes the old one and syncs then, so that a loss of power may leave a marker for a file without a name, or none at all,
// if the file system does not keep the order of changes to a directory. Those in use do; none promises it.
type orderedFS struct{ vfs.FS }

// Create implements vfs.FS.
func (o orderedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := o.syncMarker(name); err != nil {
		return nil, err
	}
	return o.FS.Create(name, category)
}

// Remove implements vfs.FS.
func (o orderedFS) Remove(name string) error {
	if err := o.syncMarker(name); err != nil {
		return err
	}
	return o.FS.Remove(name)
}

func (o orderedFS) syncMarker(name string) error {
	if !strings.HasPrefix(o.PathBase(name), markerPrefix) {
		return nil
	}
	return syncDir(o.FS, o.PathDir(name))
}

// Unwrap implements vfs.FS.
func (o orderedFS) Unwrap() vfs.FS { return o.FS }
