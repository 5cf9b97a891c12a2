//go:build !linux

package nodes

import "syscall"

// DiesWithParent has no equivalent outside Linux: there whoever starts a child must end it.
func DiesWithParent() *syscall.SysProcAttr { return nil }
