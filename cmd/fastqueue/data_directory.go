package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/hashicorp/go-hclog"
)

// warnOfForeignFiles warns when a directory that belongs to no node yet holds something else. It may be a typing error; it
// is no reason to refuse, since a fresh file system has a lost+found and operators put files beside the data.
func warnOfForeignFiles(log hclog.Logger, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // it does not exist yet, or Open will say what is wrong
	}
	var foreign []string
	for _, e := range entries {
		if e.Name() == "node.json" {
			return
		}
		if !slices.Contains(ownFiles(), e.Name()) {
			foreign = append(foreign, e.Name())
		}
	}
	if len(foreign) > 0 {
		log.Warn("the data directory of this new node holds files of something else; they are left alone, but check --data-dir",
			"directory", dir, "files", foreign[:min(len(foreign), 5)], "count", len(foreign))
	}
}

// ownFiles are the names that a new node's directory may hold before it is a member.
func ownFiles() []string {
	return []string{"tls", "founding", "members.json", joinTokenFile, adminPasswordFile, localSecretFile, "lost+found"}
}

// withDirectoryHint says what to do about a data directory that can't be written.
func withDirectoryHint(err error, dir string) error {
	if _, aboutFile := errors.AsType[*fs.PathError](err); !aboutFile {
		return err
	}
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the file system of --data-dir %s is mounted read-only; a node writes to it all the time: mount it writable or choose another directory", err, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: --data-dir %s must belong to the user that the node runs as (uid %d): change its owner or choose another directory", err, dir, os.Getuid())
	}
	return err
}

// checkDataDir refuses a --data-dir that is no directory, or is where nothing can be stored: there it would wait for room for ever.
func checkDataDir(dir string) error {
	switch info, err := os.Stat(dir); {
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("--data-dir %s: a part of the path is a file; choose another directory", dir)
	case err == nil && !info.IsDir():
		return fmt.Errorf("--data-dir %s is not a directory; choose another one, it is made if it does not exist", dir)
	}
	var s syscall.Statfs_t
	path := dir
	err := syscall.Statfs(path, &s)
	for ; errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path; err = syscall.Statfs(path, &s) {
		path = filepath.Dir(path)
	}
	if err == nil && s.Blocks == 0 {
		return fmt.Errorf("--data-dir %s: the file system there says that its size is 0, so it can't hold data; choose a directory on a disk", dir)
	}
	return nil // an error is that of whoever opens it
}
