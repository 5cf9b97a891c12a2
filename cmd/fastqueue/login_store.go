package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cluster"
)

const (
	loginFile     = "login.json"
	loginLockFile = "login.lock"
	lockInterval  = 20 * time.Millisecond // between two tries to lock
)

// keptLogin is one login of this machine's user.
type keptLogin struct {
	Username string `json:"username"`
	client.Tokens
}

// loginStore keeps one login, that of a set of addresses, in a file of the user's configuration directory. It is a
// client.TokenStore: a verb that renews its tokens holds a lock on a file beside it, so that no refresh token is used twice.
type loginStore struct {
	dir      string
	key      string // the addresses
	username string // whose login it becomes; empty: it stays who it is
}

// openLoginStore returns the login that belongs to the addresses; their order does not matter.
func openLoginStore(urls []string) (*loginStore, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return nil, fmt.Errorf("directory of logins: %w", err)
	}
	sorted := make([]string, len(urls))
	for i, u := range urls {
		sorted[i] = strings.TrimSuffix(strings.TrimRight(u, "/"), "/v1")
	}
	slices.Sort(sorted)
	return &loginStore{dir: filepath.Join(config, "fastqueue"), key: strings.Join(slices.Compact(sorted), ",")}, nil
}

func (s *loginStore) path() string { return filepath.Join(s.dir, loginFile) }

// readAll returns every login of the file by its addresses; an absent file holds none.
func (s *loginStore) readAll() (map[string]keptLogin, error) {
	all := map[string]keptLogin{}
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("logins in %s (delete it and log in again if it is damaged): %w", s.path(), err)
	}
	return all, nil
}

// read returns the login; it is empty if there is none.
func (s *loginStore) read() (keptLogin, error) {
	all, err := s.readAll()
	return all[s.key], err
}

// Update implements client.TokenStore. Tokens that become empty remove the login.
func (s *loginStore) Update(ctx context.Context, renew func(client.Tokens) (client.Tokens, error)) (err error) {
	lock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	all, err := s.readAll()
	if err != nil {
		return err
	}
	old := all[s.key]
	tokens, err := renew(old.Tokens)
	if err != nil {
		return err
	}
	now := keptLogin{Username: old.Username, Tokens: tokens}
	if s.username != "" {
		now.Username = s.username
	}
	if now == old {
		return nil
	}
	if all[s.key] = now; tokens == (client.Tokens{}) {
		delete(all, s.key)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("logins: %w", err)
	}
	return cluster.WriteFile(s.path(), append(b, '\n'))
}

// lock waits until no other process renews tokens. Closing the result ends the lock, as does the end of the process.
func (s *loginStore) lock(ctx context.Context) (io.Closer, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of logins: %w", err)
	}
	if err := os.Chmod(s.dir, 0o700); err != nil { // a configuration file may have been there first
		return nil, fmt.Errorf("directory of logins: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, loginLockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock of logins: %w", err)
	}
	tick := time.NewTicker(lockInterval)
	defer tick.Stop()
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock of logins: %w", err), f.Close())
	}
	return f, nil
}
