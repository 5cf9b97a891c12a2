package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	deviceName   = "tun0"
	loopbackName = "lo"
	devicePath   = "/dev/net/tun"
	threadSpace  = "/proc/thread-self/ns/net"
	// queuedPackets is what the kernel keeps for this process to read: enough that what is lost was lost by a Rule.
	queuedPackets = 10_000
)

// newNamespace makes a namespace whose node has the address addr.
func newNamespace(addr netip.Addr) (*Namespace, error) {
	ns := &Namespace{addr: addr}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make one (it needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN): %w", err)
		}
		handle, err := os.Open(threadSpace)
		if err != nil {
			return err
		}
		ns.handle = handle
		ns.device, err = openDevice()
		if err == nil {
			err = configure(addr)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, closeAll(ns.handle, ns.device))
	}
	return ns, nil
}

func closeAll(files ...*os.File) (err error) {
	for _, f := range files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// Do calls f on a thread inside the namespace: sockets that f opens and processes that it starts belong there for good.
// What f starts in other goroutines does not.
func (ns *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.handle.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// onThread calls f on a thread that may change its namespace. A thread that does not find back is not used again.
func onThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(threadSpace)
		if err != nil {
			result <- err
			return
		}
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			err = errors.Join(err, fmt.Errorf("leave network namespace: %w", back))
		} else {
			runtime.UnlockOSThread()
		}
		result <- errors.Join(err, home.Close())
	}()
	return <-result
}

// openDevice makes the device that is the node's cable, in the namespace of this thread. The kernel removes it when the
// file is closed.
func openDevice() (*os.File, error) {
	fd, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s (the kernel's module tun makes it): %w", devicePath, err)
	}
	request, err := unix.NewIfreq(deviceName)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a TUN device (it needs root, or CAP_NET_ADMIN): %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), devicePath), nil
}

// configure gives the device an address in a network of 256 and starts it and the loopback.
func configure(addr netip.Addr) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	for _, step := range []struct {
		what, device string
		request      uint
		fill         func(*unix.Ifreq) error
	}{
		{"start the loopback", loopbackName, unix.SIOCSIFFLAGS, start},
		{"set the address", deviceName, unix.SIOCSIFADDR, address(addr.As4())},
		{"set the network", deviceName, unix.SIOCSIFNETMASK, address([4]byte{255, 255, 255, 0})},
		{"set the queue", deviceName, unix.SIOCSIFTXQLEN, queue},
		{"start the device", deviceName, unix.SIOCSIFFLAGS, start},
	} {
		r, err := unix.NewIfreq(step.device)
		if err == nil {
			err = step.fill(r)
		}
		if err == nil {
			err = unix.IoctlIfreq(socket, step.request, r)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", step.what, err), unix.Close(socket))
		}
	}
	return unix.Close(socket)
}

func start(r *unix.Ifreq) error {
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return nil
}

func queue(r *unix.Ifreq) error {
	r.SetUint32(queuedPackets)
	return nil
}

func address(a [4]byte) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { return r.SetInet4Addr(a[:]) }
}
