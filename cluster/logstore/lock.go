package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

const lockFile = "LOCK"

// lockDir takes the directory for this process, without waiting. Closing the result gives it back. The wal backend
// would wait for ever for another process, and bolt say no more than "timeout".
func lockDir(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock log directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = refusal{fmt.Errorf("log directory %s is in use by another process: stop that one first, or choose another directory", dir)}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
