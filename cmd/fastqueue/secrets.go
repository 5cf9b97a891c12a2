package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/cluster/transport"
)

const (
	joinTokenFile     = "join-token"
	adminPasswordFile = "admin-password"
	joinTokenVariable = "FASTQUEUE_JOIN_TOKEN"
	adminVariable     = "FASTQUEUE_ADMIN_PASSWORD"
	adminName         = "admin"
)

// founding gathers the secrets with which a cluster begins: those of the environment, or random ones that are left in the
// data directory for the operator. None has a built-in default.
func founding(dataDir string) (cluster.Founding, error) {
	// Both are looked at before either is written: a refused start must not leave a file that a later one contradicts.
	if err := checkGivenSecrets(); err != nil {
		return cluster.Founding{}, err
	}
	token, err := secret(joinTokenVariable, filepath.Join(dataDir, joinTokenFile), transport.NewJoinToken)
	if err != nil {
		return cluster.Founding{}, err
	}
	password, err := secret(adminVariable, filepath.Join(dataDir, adminPasswordFile), newPassword)
	if err != nil {
		return cluster.Founding{}, err
	}
	hash, err := auth.NewHasher().Hash(context.Background(), password)
	if err != nil {
		return cluster.Founding{}, fmt.Errorf("hash of the admin password: %w", err)
	}
	return cluster.Founding{JoinToken: token, AdminName: adminName, AdminPasswordHash: hash}, nil
}

// checkGivenSecrets refuses secrets of the environment with which no cluster can begin.
func checkGivenSecrets() error {
	if token := os.Getenv(joinTokenVariable); token != "" {
		if _, err := transport.JoinKey(token); err != nil {
			return usage(fmt.Errorf("%s: %w", joinTokenVariable, err))
		}
	}
	if password := os.Getenv(adminVariable); password != "" {
		if err := auth.CheckPassword(password); err != nil {
			return usage(fmt.Errorf("%s: %w", adminVariable, err))
		}
	}
	return nil
}

// secret takes a secret from the environment, or from the file that an earlier try left, or makes one. A file that says
// something else than the environment is removed.
func secret(variable, path string, random func() string) (string, error) {
	if value := os.Getenv(variable); value != "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("remove outdated secret: %w", err)
		}
		return value, nil
	}
	b, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read secret: %w", err)
	}
	value := random()
	return value, cluster.WriteFile(path, []byte(value+"\n"))
}

func newPassword() string {
	b := make([]byte, 18)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// joinToken finds the token that a joining node was given: flag, file or environment. Its errors are faults of the command line.
func joinToken(flag, file string) (string, error) {
	switch {
	case flag != "" && file != "":
		return "", usage(errors.New("--token and --token-file are two ways to say the same: give one"))
	case flag != "":
		return flag, nil
	case file != "":
		b, err := os.ReadFile(file)
		if err != nil {
			return "", usage(fmt.Errorf("read --token-file: %w", err))
		}
		return strings.TrimSpace(string(b)), nil
	}
	if token := os.Getenv(joinTokenVariable); token != "" {
		return token, nil
	}
	return "", usage(fmt.Errorf("a join token is needed: --token, --token-file or %s; the first node keeps it in its data directory as %s", joinTokenVariable, joinTokenFile))
}
