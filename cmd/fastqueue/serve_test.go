package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/client"
)

func TestWarningOfForeignFiles(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		warns bool
	}{
		{"empty", nil, false},
		{"what an earlier try left", []string{"tls", "founding", joinTokenFile, adminPasswordFile, localSecretFile}, false},
		{"a fresh file system", []string{"lost+found"}, false},
		{"a member's", []string{"node.json", "notes.txt"}, false},
		{"something else's", []string{"thesis.tex"}, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range tc.files {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var log strings.Builder
			warnOfForeignFiles(hclog.New(&hclog.LoggerOptions{Output: &log}), dir)
			if warned := log.Len() > 0; warned != tc.warns || tc.warns && !strings.Contains(log.String(), "thesis.tex") {
				t.Errorf("logged %q, want a warning: %t", log.String(), tc.warns)
			}
		})
	}
}

// TestRegistration lets anybody make a user where it is open, and admins alone where it is closed.
func TestRegistration(t *testing.T) {
	for registration, allowed := range map[string]bool{registrationOpen: true, registrationClosed: false} {
		t.Run(registration, func(t *testing.T) {
			c := startCluster(t, 1, "--registration", registration)
			err := c.newClient(client.Config{URLs: []string{c.nodes[0].URL()}}).Register(t.Context(), "somebody", testPassword)
			if e, refused := errors.AsType[*client.Error](err); allowed && err != nil || !allowed && (!refused || e.Status != http.StatusForbidden) {
				t.Errorf("registration: %v; want it allowed: %t", err, allowed)
			}
			if err := c.nodes[0].API().Register(t.Context(), "colleague", testPassword); err != nil {
				t.Errorf("registration by an admin: %v", err)
			}
		})
	}
}

func TestDirectoryHint(t *testing.T) {
	tests := []struct {
		err  error
		says string
	}{
		{&os.PathError{Op: "mkdir", Path: "/d", Err: syscall.EROFS}, "read-only"},
		{&os.PathError{Op: "mkdir", Path: "/d", Err: syscall.EACCES}, fmt.Sprintf("uid %d", os.Getuid())},
		{os.NewSyscallError("bind", syscall.EACCES), ""}, // of a port, not of a file
		{&os.PathError{Op: "mkdir", Path: "/d", Err: syscall.ENOTDIR}, ""},
	}
	for _, tc := range tests {
		err := withDirectoryHint(fmt.Errorf("open: %w", tc.err), "/d")
		if tc.says == "" && strings.Contains(err.Error(), "--data-dir") || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%v: want it to say %q", err, tc.says)
		}
	}
	if withDirectoryHint(nil, "/d") != nil {
		t.Error("no error became one")
	}
}
