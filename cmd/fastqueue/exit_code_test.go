package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/fastqueue/fastqueue/client"
)

func TestExitCodes(t *testing.T) {
	applied, unknown := client.NotApplied, client.Unknown
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), exitFailed},
		{usage(errors.New("flag")), exitUsage},
		{partly(errors.New("half")), exitPartly},
		{usage(nil), 0},
		{&client.Error{Status: 400, Outcome: applied}, exitUsage},
		{&client.Error{Status: 413, Outcome: applied}, exitUsage},
		{&client.Error{Status: 415, Outcome: applied}, exitFailed},
		{stoppedError{}, exitFailed},
		{&client.Error{Status: 401, Outcome: applied}, exitDenied},
		{&client.Error{Status: 403, Outcome: applied}, exitDenied},
		{&client.Error{Status: 404, Outcome: applied}, exitNotFound},
		{&client.Error{Status: 409, Outcome: applied}, exitConflict},
		{&client.Error{Status: 429, Outcome: applied}, exitConflict},
		{&client.Error{Status: 503, Outcome: applied}, exitUnavailable},
		{&client.Error{Status: 503, Outcome: unknown}, exitUnknown},
		{&client.Error{Status: 504, Outcome: applied}, exitUnavailable},
		{&client.Error{Status: 507, Outcome: applied}, 75},
		{&client.Error{Outcome: applied}, exitUnavailable},
		{&client.Error{Outcome: unknown}, exitUnknown},
		{&os.PathError{Op: "write", Path: "/d", Err: syscall.ENOSPC}, 75},
		{&os.PathError{Op: "mkdir", Path: "/d", Err: syscall.EACCES}, exitFailed},
		{partly(&client.Error{Status: 404, Outcome: applied}), exitPartly},
	}
	for _, tc := range tests {
		wrapped := tc.err
		if wrapped != nil {
			wrapped = fmt.Errorf("send: %w", tc.err)
		}
		if got := exitCode(wrapped); got != tc.want {
			t.Errorf("%v: code %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestEveryExitCodeIsExplainedOnce(t *testing.T) {
	help := exitCodesHelp()
	for _, code := range []int{0, exitFailed, exitUsage, exitNotFound, exitDenied, exitUnavailable, exitConflict, exitPartly, exitUnknown, 75, 77} {
		if strings.Count(help, fmt.Sprintf("\n  %2d  ", code)) != 1 {
			t.Errorf("code %d is not explained once:\n%s", code, help)
		}
	}
}
