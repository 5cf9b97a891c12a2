package main

import (
	"errors"
	"net/http"
	"syscall"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cluster"
)

// The exit codes of the program. Scripts depend on them: a number is never given another meaning.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitUnavailable = 5
	exitConflict    = 6
	exitPartly      = 7
	exitUnknown     = 8
)

// exitMeaning is one line of "fastqueue help exit-codes".
type exitMeaning struct {
	code    int
	meaning string
}

// exitMeanings are all codes that the program ends with.
func exitMeanings() []exitMeaning {
	return []exitMeaning{
		{0, "done"},
		{exitFailed, "failed; the message says why"},
		{exitUsage, "the command line, a variable, the configuration file or a value in them is wrong; nothing was done"},
		{exitNotFound, "the queue, user, key, member or token does not exist"},
		{exitDenied, "not logged in, or not allowed to do this"},
		{exitUnavailable, "no leader, overloaded, too late or not reachable, and nothing was changed: try again"},
		{exitConflict, "it contradicts what is there: a name is taken, a queue is full, a limit is reached"},
		{exitPartly, "a part was done; the message says which"},
		{exitUnknown, "nobody knows whether it was done: look before trying again"},
		{cluster.ExitStorage, "a disk is full or failed"},
		{cluster.ExitDiverged, "this node's state differs from that of two others; see the node's log"},
	}
}

// exitError is an error that names the exit code of the process.
type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

// ExitCode is the exit code of the process.
func (e exitError) ExitCode() int { return e.code }

// usage marks an error as the fault of the command line or the configuration: nothing was tried. nil stays nil.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return exitError{err, exitUsage}
}

// partly marks an error after which a part of the work is done. nil stays nil.
func partly(err error) error {
	if err == nil {
		return nil
	}
	return exitError{err, exitPartly}
}

// stoppedError ends a verb that was stopped with nothing in its hands. There is nothing to tell: who stopped it knows.
type stoppedError struct{}

func (stoppedError) Error() string { return "stopped" }

// isQuiet says that an error needs no words.
func isQuiet(err error) bool {
	_, quiet := errors.AsType[stoppedError](err)
	return quiet
}

// exitCode returns the code that an error asks for: its own, that of the refusal in it, or 1.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[*cluster.StorageError](err); ok {
		return cluster.ExitStorage
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		return refusalCode(e)
	}
	for _, failure := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS} {
		if errors.Is(err, failure) {
			return cluster.ExitStorage
		}
	}
	return exitFailed
}

// refusalCode is the exit code of a request that the cluster refused or did not answer.
func refusalCode(e *client.Error) int {
	switch {
	case e.Outcome == client.Unknown:
		return exitUnknown
	case e.Status == http.StatusBadRequest, e.Status == http.StatusRequestEntityTooLarge:
		return exitUsage
	case e.Status == http.StatusNotFound:
		return exitNotFound
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return exitDenied
	case e.Status == http.StatusConflict, e.Status == http.StatusTooManyRequests:
		return exitConflict
	case e.Status == http.StatusInsufficientStorage:
		return cluster.ExitStorage
	case e.Status == 0, e.Status >= http.StatusInternalServerError:
		return exitUnavailable
	}
	return exitFailed
}
