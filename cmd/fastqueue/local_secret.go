package main

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/fastqueue/fastqueue/cluster"
)

const (
	localSecretFile  = "local-secret"
	localSecretBytes = 32 // random bytes, written as hexadecimal digits
)

// localSecret proves that a request comes from somebody who may read this node's data directory: the way in for the admin
// who lost the password. It is good for one use and for one run of the node. It is safe for concurrent use.
type localSecret struct {
	path string
	log  hclog.Logger

	mu    sync.Mutex
	value string // empty until the data directory is open: nothing matches it then
}

func newLocalSecret(dataDir string, log hclog.Logger) *localSecret {
	return &localSecret{path: filepath.Join(dataDir, localSecretFile), log: log}
}

// renew replaces the secret, here and in the file.
func (s *localSecret) renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewLocked()
}

func (s *localSecret) renewLocked() error {
	b := make([]byte, localSecretBytes)
	rand.Read(b)
	s.value = hex.EncodeToString(b)
	if err := cluster.WriteFile(s.path, []byte(s.value+"\n")); err != nil {
		return fmt.Errorf("local secret: %w", err)
	}
	return nil
}

// Use says whether this is the secret, and makes it worthless if it is.
func (s *localSecret) Use(secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.value == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(s.value)) != 1 {
		return false
	}
	if err := s.renewLocked(); err != nil { // the used one is worthless all the same
		s.log.Warn("the next local secret could not be written; there is a new one when the node starts again", "error", err)
	}
	return true
}
