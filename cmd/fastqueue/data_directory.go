package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
