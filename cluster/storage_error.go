package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// StorageError says that the disk has failed, or does not hold what was written to it. The process should end with
// ExitStorage.
type StorageError struct {
	DataDir string
	Err     error
}

// Error implements error.
func (e *StorageError) Error() string { return storageAdvice(e.DataDir, e.Err) }

// Unwrap returns the cause.
func (e *StorageError) Unwrap() error { return e.Err }

// storageError makes a StorageError of an error that came from a disk or from what is on it. What a person has decided, a
// lock, a right, another version, stays as it is; so do errors that bring their own advice about one file.
func storageError(dataDir string, err error) error {
	var refusal interface{ Refused() bool }
	if err == nil || errors.As(err, &refusal) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &StorageError{DataDir: dataDir, Err: err}
}

// writeError is storageError for a write that failed: only the system's errors are the disk's.
func writeError(dataDir string, err error) error {
	var system syscall.Errno
	if !errors.As(err, &system) {
		return err
	}
	return storageError(dataDir, err)
}

// storageAdvice is an error of the disk with what to do about it.
func storageAdvice(dataDir string, err error) string {
	dir := filepath.Clean(dataDir)
	return fmt.Sprintf("%v. If the disk is full or failing, repair that and start again. If a file is damaged: with a majority of the other "+
		"members up, nothing is lost; move the data directory away (mv %s %s.damaged) and join again with an empty one (fastqueue join). "+
		"Nothing was deleted.", err, dir, dir)
}
