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
// A login can be used where nothing can be written: what is renewed is kept in memory then.
type loginStore struct {
	dir      string
	key      string        // the addresses
	username string        // whose login it becomes; empty: it stays who it is
	alone    chan struct{} // holds an item while this process renews, also where no file can be locked
	memory   *keptLogin    // what could not be written; counts for this process instead of the file
	warn     func(string)
	write    func(path string, data []byte) error
}

// damagedLoginsError says that the file is no list of logins.
type damagedLoginsError struct {
	path string
	err  error
}

func (e damagedLoginsError) Error() string {
	return fmt.Sprintf("the file of logins %s is damaged (%v): log in again, which replaces it", e.path, e.err)
}

// unwrittenError says that a login could not be kept or removed, though the cluster did its part.
type unwrittenError struct{ error }

func (e unwrittenError) Unwrap() error { return e.error }

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
	return &loginStore{
		dir: filepath.Join(config, "fastqueue"), key: strings.Join(slices.Compact(sorted), ","),
		alone: make(chan struct{}, 1),
		warn:  func(text string) { fmt.Fprintln(os.Stderr, "fastqueue:", text) }, write: cluster.WriteFile,
	}, nil
}

func (s *loginStore) path() string { return filepath.Join(s.dir, loginFile) }

// readAll returns every login of the file by its addresses; an absent file holds none.
func (s *loginStore) readAll() (map[string]keptLogin, error) {
	all := map[string]keptLogin{}
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("logins: %w", err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, damagedLoginsError{s.path(), err}
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
	select {
	case s.alone <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.alone }()
	lock, err := s.lock(ctx)
	if err != nil && (ctx.Err() != nil || s.username != "") {
		return err // a log-in whose tokens can't be kept is not begun
	}
	if err == nil {
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	all, err := s.readAll()
	if damaged, ok := errors.AsType[damagedLoginsError](err); ok && s.username != "" {
		s.warn(fmt.Sprintf("the file of logins %s was damaged (%v) and is replaced", s.path(), damaged.err))
		all, err = map[string]keptLogin{}, nil
	}
	if err != nil {
		return err
	}
	old := all[s.key]
	if s.memory != nil {
		old = *s.memory
	}
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
	return s.keep(all, now)
}

// keep writes the file with a login that has changed. Tokens that were only renewed are good for this process all the same when that
// fails; the refresh token in the file is used up.
func (s *loginStore) keep(all map[string]keptLogin, now keptLogin) error {
	gone := now.Tokens == (client.Tokens{})
	if all[s.key] = now; gone {
		delete(all, s.key)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("logins: %w", err)
	}
	err = s.write(s.path(), append(b, '\n'))
	if err != nil && (gone || s.username != "") {
		return unwrittenError{fmt.Errorf("logins: %w", err)}
	}
	s.memory = nil
	if err != nil {
		s.memory = &now
		s.warn(fmt.Sprintf("the renewed login can't be kept (%v): this command goes on with it, the next one needs a new log-in or an API key", err))
	}
	return nil
}

// lock waits until no other process renews tokens. Closing the result ends the lock, as does the end of the process.
func (s *loginStore) lock(ctx context.Context) (io.Closer, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of logins: %w", err)
	}
	if err := os.Chmod(s.dir, 0o700); err != nil && s.username != "" { // a configuration file may have been there first
		return nil, fmt.Errorf("directory of logins: %w", err)
	}
	path := filepath.Join(s.dir, loginLockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		f, err = os.Open(path) // can be locked on a disk that is read-only, too
	}
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
