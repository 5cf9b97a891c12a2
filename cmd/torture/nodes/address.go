package nodes

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// FreeAddress returns a loopback address that nobody listens on. It is not one of those that the kernel gives to outgoing
// connections (32768 and above): somebody else could take it before the node does.
func FreeAddress() (string, error) {
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("free address: %w", err)
		}
		return l.Addr().String(), l.Close()
	}
}
