package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func readSecret(t *testing.T, s *localSecret) string {
	t.Helper()
	b, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestLocalSecretIsGoodForOneUse(t *testing.T) {
	s := newLocalSecret(t.TempDir(), hclog.NewNullLogger())
	if s.Use("") {
		t.Error("before there is a secret, nothing matches it")
	}
	if err := s.renew(); err != nil {
		t.Fatal(err)
	}
	first := readSecret(t, s)
	if len(first) != 2*localSecretBytes || s.Use(first+"0") || s.Use("") || s.Use(first[:10]) {
		t.Errorf("secret %q has %d digits, or another one was accepted", first, len(first))
	}
	if info, err := os.Stat(s.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: %v, %v; want 0600", info.Mode(), err)
	}
	if !s.Use(first) || s.Use(first) {
		t.Error("want the secret accepted once and not twice")
	}
	if second := readSecret(t, s); second == first || !s.Use(second) {
		t.Errorf("the next secret is %q, want another one that is accepted", second)
	}
}

func TestLocalSecretOneOfManyAtATimeWins(t *testing.T) {
	s := newLocalSecret(t.TempDir(), hclog.NewNullLogger())
	if err := s.renew(); err != nil {
		t.Fatal(err)
	}
	secret := readSecret(t, s)
	var accepted atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if s.Use(secret) {
				accepted.Add(1)
			}
		})
	}
	all.Wait()
	if accepted.Load() != 1 {
		t.Errorf("accepted %d times, want once", accepted.Load())
	}
}

func TestLocalSecretIsUsedUpAlsoWhenTheNextOneCantBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := newLocalSecret(dir, hclog.NewNullLogger())
	if err := s.renew(); err != nil {
		t.Fatal(err)
	}
	secret := readSecret(t, s)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if !s.Use(secret) || s.Use(secret) {
		t.Error("want the secret accepted once and not twice")
	}
}
