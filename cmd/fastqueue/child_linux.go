package main

import "syscall"

// childAttributes has the kernel end a child when its parent dies, and keeps Ctrl-C for the parent, which passes it on.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
