//go:build !linux

package main

import "syscall"

// childAttributes keeps Ctrl-C for the parent, which passes it on.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
