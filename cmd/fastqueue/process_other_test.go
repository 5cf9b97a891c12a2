//go:build !linux

package main

import "syscall"

// diesWithParent has no equivalent outside Linux: there the tests' clean-up ends the children.
func diesWithParent() *syscall.SysProcAttr { return nil }
