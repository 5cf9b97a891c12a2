package main

import (
	"fmt"
	"net"
)

// Ports below the range from which the kernel takes those of outgoing connections, so that no client gets one of them
// between the look and the server's start.
const (
	firstPort = 21000
	lastPort  = 31999
)

// ports hands out ports of the loopback address on which nothing listens, none of them twice in a short time.
type ports struct{ next int }

func newPorts() *ports { return &ports{next: firstPort} }

// free returns n ports.
func (p *ports) free(n int) ([]int, error) {
	var found []int
	for tried := 0; len(found) < n; tried++ {
		if tried > lastPort-firstPort {
			return nil, fmt.Errorf("no %d free ports from %d to %d", n, firstPort, lastPort)
		}
		port := p.next
		p.next++
		if p.next > lastPort {
			p.next = firstPort
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue // taken
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("port %d: %w", port, err)
		}
		found = append(found, port)
	}
	return found, nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
