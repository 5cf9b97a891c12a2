package netns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
)

// Namespace is the network that one node sees: a loopback device of its own, and the Network.
type Namespace struct {
	addr   netip.Addr
	device *os.File // the cable: packets that the node sends are read from it, and written to it those that it is sent
	handle *os.File // what enters the namespace
}

// Addr is where other nodes of the Network reach this one.
func (ns *Namespace) Addr() netip.Addr { return ns.addr }

// Start starts a program inside.
func (ns *Namespace) Start(cmd *exec.Cmd) error { return ns.Do(cmd.Start) }

// Dial opens a TCP connection from inside to address, which may be one of the namespace's own loopback.
func (ns *Namespace) Dial(ctx context.Context, address string) (conn *net.TCPConn, err error) {
	err = ns.Do(func() error {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		conn = c.(*net.TCPConn)
		return nil
	})
	return conn, err
}

func (ns *Namespace) close() error { return errors.Join(ns.device.Close(), ns.handle.Close()) }
