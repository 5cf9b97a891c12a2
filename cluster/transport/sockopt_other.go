//go:build !linux

package transport

import (
	"net"
	"time"
)

// setUserTimeout does nothing where the system has no TCP_USER_TIMEOUT: keepalive still ends idle dead connections.
func setUserTimeout(*net.TCPConn, time.Duration) error { return nil }
