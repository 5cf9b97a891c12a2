//go:build !linux

package netns

import (
	"errors"
	"net/netip"
)

var errNotLinux = errors.New("only Linux has network namespaces")

func newNamespace(netip.Addr) (*Namespace, error) { return nil, errNotLinux }

// Do calls f inside the namespace, which only Linux can.
func (ns *Namespace) Do(func() error) error { return errNotLinux }
