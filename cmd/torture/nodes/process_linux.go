package nodes

import "syscall"

// DiesWithParent makes the kernel kill a child when this process dies, however it dies.
func DiesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
